//! Lists, replays and discards dead letters.

use super::request::{List, Meant, Which};
use super::walk::{Go, Written, params, walk};
use super::{Answer, Broker};
use crate::clock;
use proletarier_core::backlog::{Backlog, Token};
use proletarier_core::delivery::{DeadLetter, SpentAttempt};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::queue::Filter;
use proletarier_core::record::Record;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;

#[derive(Serialize)]
struct Letter<'a> {
    cursor: Token,
    id: &'a str,
    name: &'a str,
    listeners: Option<&'a [String]>,
    attempts: &'a [SpentAttempt],
    at: u64,
    triggered_at: u64,
    kind: Option<FailureKind>,
    error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<Box<RawValue>>,
}

impl Broker<'_> {
    pub(super) fn failed(&mut self, list: &List) -> Answer {
        let mut written = Written::new(list.limit);
        let next = self.walk_letters(list.after, list.filter.as_ref(), |cursor, DeadLetter { delivery, at }| {
            let record = Record::decode(&delivery.record).unwrap_or_default();
            let reason = delivery.history().last().map(|spent| &spent.failure);
            written.push(&Letter {
                cursor,
                id: record.id,
                name: record.name,
                listeners: delivery.only(),
                attempts: delivery.history(),
                at,
                triggered_at: record.triggered_at,
                kind: reason.map(|failure| failure.kind),
                error: reason.map(Failure::in_words),
                params: if list.params { params(record.params) } else { None },
            })
        });
        Answer::Page(written.answer("letters", next))
    }

    pub(super) fn failed_replay(&mut self, which: Which) -> Result<Answer, String> {
        let now = clock::now();
        let (letters, next) = match which.meant()? {
            Meant::Cursors(cursors) => (letters_at(&mut *self.backlog, &cursors), None),
            Meant::Filter { filter, after } => {
                if after == 0 {
                    self.replaying_since = now.wall;
                }
                let since = self.replaying_since.0;
                let mut letters = Vec::new();
                let next = self.walk_letters(after, Some(&filter), |token, letter| {
                    // One that this replay has met before, and that died again, is at the list's end: it would never be through.
                    if !letter.delivery.history().iter().any(|spent| spent.replayed.is_some_and(|at| at >= since)) {
                        letters.push((token, letter));
                    }
                    Go::On
                });
                (letters, next)
            }
        };
        let done = letters.len();
        self.queue.handle_replay(letters, now, &mut self.effects);
        Ok(Answer::Kept(json!({ "done": done, "next": next })))
    }

    pub(super) fn failed_discard(&mut self, which: Which) -> Result<Answer, String> {
        let mut tokens = Vec::new();
        let next = match which.meant()? {
            Meant::Cursors(cursors) => {
                tokens.extend(letters_at(&mut *self.backlog, &cursors).into_iter().map(|(token, _)| token));
                None
            }
            Meant::Filter { filter, after } => self.walk_letters(after, Some(&filter), |token, _| {
                tokens.push(token);
                Go::On
            }),
        };
        let done = tokens.len();
        self.queue.handle_discard(tokens, &mut self.effects);
        Ok(Answer::Kept(json!({ "done": done, "next": next })))
    }

    /// Gives each dead letter after a token that is meant to `take`.
    pub(super) fn walk_letters(
        &mut self,
        after: Token,
        filter: Option<&Filter>,
        mut take: impl FnMut(Token, DeadLetter) -> Go,
    ) -> Option<Token> {
        let backlog = &mut self.backlog;
        let meant = |letter: &DeadLetter| filter.is_none_or(|filter| filter.matches(&letter.delivery));
        let page = |after, most| backlog.dead(after, most);
        let look = |(token, letter): &(Token, DeadLetter)| (*token, letter.delivery.record.len());
        walk(after, page, look, |(token, letter)| if meant(&letter) { take(token, letter) } else { Go::On })
    }
}

/// The dead letters of these cursors that are there, each once.
fn letters_at(backlog: &mut dyn Backlog, cursors: &[Token]) -> Vec<(Token, DeadLetter)> {
    let mut cursors: Vec<_> = cursors.iter().copied().filter(|cursor| *cursor > 0).collect();
    cursors.sort_unstable();
    cursors.dedup();
    let found =
        cursors.into_iter().filter_map(|cursor| backlog.dead(cursor - 1, 1).items.into_iter().find(|(at, _)| *at == cursor));
    found.collect()
}
