//! Lists and cancels what waits.

use super::request::{List, MOST, Meant, Which};
use super::walk::{ANSWER, Go, Written, params, walk};
use super::{Answer, Broker};
use crate::clock;
use proletarier_core::backlog::{Token, Waiting};
use proletarier_core::delivery::Due;
use proletarier_core::failure::Failure;
use proletarier_core::queue::{Filter, State};
use proletarier_core::record::Record;
use proletarier_core::time::Now;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Event<'a> {
    cursor: Token,
    id: &'a str,
    name: &'a str,
    state: State,
    due: Option<u64>,
    attempt: u16,
    listeners: Option<&'a [String]>,
    triggered_at: u64,
    expires: Option<u64>,
    /// Why the attempt before failed.
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Box<RawValue>>,
}

impl Broker<'_> {
    pub(super) fn waiting(&mut self, list: &List) -> Answer {
        let now = clock::now();
        let most = list.limit.clamp(1, MOST);
        let (mut found, mut bytes) = (Vec::new(), 0);
        let next = self.walk_waiting(list.after, list.filter.as_ref(), |waiting| {
            bytes += if list.params { waiting.delivery.record.len() } else { 0 };
            found.push(waiting);
            if found.len() == most || bytes >= ANSWER { Go::Enough } else { Go::On }
        });
        let mut written = Written::new(most);
        for (waiting, state) in found.iter().zip(self.queue.states(&found)) {
            let delivery = &waiting.delivery;
            let record = Record::decode(&delivery.record).unwrap_or_default();
            written.push(&Event {
                cursor: waiting.token,
                id: record.id,
                name: record.name,
                state,
                due: delivery.due.map(|due| in_wall_time(due, now)),
                attempt: delivery.attempt,
                listeners: delivery.only(),
                triggered_at: record.triggered_at,
                expires: delivery.expires.map(|expires| expires.0),
                error: delivery.history().last().map(|spent| &spent.failure).map(Failure::in_words),
                params: if list.params { params(record.params) } else { None },
            });
        }
        Answer::Page(written.answer("events", next))
    }

    pub(super) fn waiting_cancel(&mut self, which: Which) -> Result<Answer, String> {
        let mut found = Vec::new();
        let next = match which.meant()? {
            Meant::Cursors(mut cursors) => {
                cursors.retain(|cursor| *cursor > 0);
                cursors.sort_unstable();
                cursors.dedup();
                let backlog = &mut self.backlog;
                found.extend(cursors.into_iter().filter_map(|cursor| {
                    backlog.waiting(cursor - 1, 1).items.into_iter().find(|waiting| waiting.token == cursor)
                }));
                None
            }
            Meant::Filter { filter, after } => self.walk_waiting(after, Some(&filter), |waiting| {
                found.push(waiting);
                Go::On
            }),
        };
        let cancelled = self.queue.handle_cancel(&found, clock::now(), &mut self.effects);
        Ok(Answer::Kept(json!({ "done": cancelled.done, "running": cancelled.running, "next": next })))
    }

    /// Gives each delivery that waits, after a token, and is meant, to `take`.
    fn walk_waiting(&mut self, after: Token, filter: Option<&Filter>, mut take: impl FnMut(Waiting) -> Go) -> Option<Token> {
        let backlog = &mut self.backlog;
        let meant = |waiting: &Waiting| filter.is_none_or(|filter| filter.matches(&waiting.delivery));
        let page = |after, most| backlog.waiting(after, most);
        let look = |waiting: &Waiting| (waiting.token, waiting.delivery.record.len());
        walk(after, page, look, |waiting| if meant(&waiting) { take(waiting) } else { Go::On })
    }
}

/// A moment of either clock in wall time, microseconds.
fn in_wall_time(due: Due, now: Now) -> u64 {
    match due {
        Due::At(at) => at.0,
        Due::After(at) => now.wall.plus(at.since(now.mono)).0.saturating_sub(now.mono.since(at)),
    }
}
