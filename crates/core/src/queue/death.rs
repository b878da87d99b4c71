//! Settles what a dead worker had: finished deliveries are done, unclaimed ones go out again uncounted, and the running one is split by
//! listener.

use super::hand_out::cut;
use super::outcome::{Failures, Judge};
use super::remains::{ChunkRemains, Remains};
use super::worker::OpenChunk;
use super::{Effects, Queue, Reply, WorkerId};
use crate::backlog::{Replacement, Reserved, Settlement};
use crate::delivery::Delivery;
use crate::failure::{Failure, FailureKind};
use crate::frame::WHOLE_DELIVERY;
use crate::listener::{ListenerIndex, ListenerTable};
use crate::record::Record;
use crate::time::Now;
use std::collections::BTreeSet;

/// How often a delivery goes out again uncounted after it was lost with a worker and nobody could say by which listener's fault
/// (Sidekiq Pro: 3 recoveries). After that it is dead, or its listeners' attempts count, where there are marks to tell them by.
const MAX_RECOVERIES: u8 = 3;

impl Queue {
    /// A worker is dead. `remains` is its slot of the scoreboard; none where that is lost.
    pub fn handle_death(&mut self, id: WorkerId, remains: Option<&Remains>, now: Now, effects: &mut Effects) {
        if let Some(worker) = self.workers.remove(&id) {
            self.books.counters.deaths += u64::from(!worker.leaving || !worker.chunks.is_empty());
            let retry = self.rules.retry;
            let judge = Judge { retry: &retry, table: &worker.table, now };
            let mut unclaimed = Vec::new();
            for mut open in worker.chunks {
                match remains {
                    Some(remains) => {
                        let known = remains.chunks.iter().find(|chunk| chunk.number == open.number);
                        let chunk =
                            known.cloned().unwrap_or_else(|| ChunkRemains { number: open.number, ..ChunkRemains::default() });
                        self.settle_chunk(&judge, &mut open, &chunk, remains, effects);
                        unclaimed.extend(cut(&mut open, usize::from(chunk.claimed), &mut self.scheduler));
                    }
                    None => {
                        for reserved in open.deliveries.into_iter().flatten() {
                            let settlement = recover(&judge, &reserved.delivery);
                            self.books.settle(&reserved, settlement, now, effects);
                        }
                    }
                }
            }
            self.give_back(unclaimed);
        }
        effects.after.push(Reply::Buried(id));
        self.hand_out(now, effects);
    }

    /// Hand-outs of an earlier broker's, whose worker is dead and told nothing that can be understood: its code was another. What is
    /// `finished`, with no failure, is done; the rest goes out again, but not for ever.
    pub fn handle_untold(&mut self, finished: Vec<Reserved>, others: Vec<Reserved>, now: Now, effects: &mut Effects) {
        let (retry, table) = (self.rules.retry, ListenerTable::default());
        let judge = Judge { retry: &retry, table: &table, now };
        let lanes = self.books.keys.lanes().clone();
        let laned = |reserved: Reserved| {
            let lane = lanes.of(&reserved.delivery);
            Reserved { delivery: Delivery { lane, ..reserved.delivery }, ..reserved }
        };
        for reserved in finished.into_iter().map(laned) {
            self.books.settle(&reserved, Settlement::Done, now, effects);
        }
        for reserved in others.into_iter().map(laned) {
            let settlement = recover(&judge, &reserved.delivery);
            self.books.settle(&reserved, settlement, now, effects);
        }
    }

    fn settle_chunk(
        &mut self,
        judge: &Judge<'_>,
        open: &mut OpenChunk,
        chunk: &ChunkRemains,
        remains: &Remains,
        effects: &mut Effects,
    ) {
        for place in open.settled..usize::from(chunk.claimed).min(open.deliveries.len()) {
            let Some(reserved) = open.deliveries[place].take() else { continue };
            let marks: Vec<_> = chunk.marks.iter().filter(|mark| usize::from(mark.delivery) == place).collect();
            // A death while marks were moved together may leave one of them twice.
            let failed: BTreeSet<_> = marks.iter().filter(|mark| mark.failed).map(|mark| mark.listener).collect();
            let failures = failed.into_iter().map(|listener| (listener, unknown(remains))).collect();
            let settlement = if place < usize::from(chunk.finished) {
                judge.settle(&reserved.delivery, failures, Vec::new())
            } else {
                let ended = marks.iter().map(|mark| mark.listener).collect();
                split(judge, &reserved.delivery, &ended, failures, remains)
            };
            self.books.settle(&reserved, settlement, judge.now, effects);
        }
        open.settled = open.settled.max(usize::from(chunk.claimed).min(open.limit));
    }
}

/// What follows a delivery that its worker died in, when the listeners in `ended` had come to their ends.
fn split(
    judge: &Judge<'_>,
    delivery: &Delivery,
    ended: &BTreeSet<ListenerIndex>,
    mut failures: Failures,
    remains: &Remains,
) -> Settlement {
    let mut unfinished = listeners(judge.table, delivery);
    // What failed as a whole never got to its listeners, nor will it.
    unfinished.retain(|listener| !ended.contains(listener) && !ended.contains(&WHOLE_DELIVERY));
    let identities = |listeners: &[ListenerIndex]| listeners.iter().filter_map(|listener| judge.identity(*listener)).collect();
    if let Some(died_in) = remains.listener.filter(|listener| unfinished.contains(listener)) {
        unfinished.retain(|other| *other != died_in);
        failures.push((died_in, cause(remains)));
        return judge.settle(delivery, failures, identities(&unfinished));
    }
    if unfinished.is_empty() && !(ended.is_empty() && delivery.only().is_none()) {
        return judge.settle(delivery, failures, Vec::new());
    }
    // It died in none of them. That says nothing against those still to come, so that they go out again uncounted, but not for ever:
    // it may be the event itself that workers die of, such as params that need more memory than there is.
    if delivery.recoveries < MAX_RECOVERIES {
        let again = Delivery { recoveries: delivery.recoveries + 1, due: None, ..delivery.clone() };
        if ended.is_empty() {
            return Settlement::Replace(vec![Replacement::Delivery(again)]);
        }
        return judge.settle(&again, failures, identities(&unfinished));
    }
    let taken = delivery.only().is_some() || Record::decode(&delivery.record).is_ok_and(|record| judge.table.takes(record.name));
    let all = if taken { unfinished } else { vec![WHOLE_DELIVERY] };
    failures.extend(all.into_iter().map(|listener| (listener, cause(remains))));
    judge.settle(delivery, failures, Vec::new())
}

/// The listeners that a delivery is for, as a worker with `table` sees it.
fn listeners(table: &ListenerTable, delivery: &Delivery) -> Vec<u16> {
    match delivery.only() {
        Some(only) => only.iter().filter_map(|id| table.find(id)).collect(),
        None => Record::decode(&delivery.record).map_or_else(|_| Vec::new(), |record| table.of_event(record.name).collect()),
    }
}

/// What the listener that ran is said to have died of.
fn cause(remains: &Remains) -> Failure {
    remains.last_words.clone().unwrap_or_else(|| {
        let words = format!("the worker's process ended while the listener ran: {}", remains.end);
        Failure::new(FailureKind::Killed, remains.end.clone(), words)
    })
}

/// What is said of a listener that had failed before its worker died, when the report of it was lost.
fn unknown(remains: &Remains) -> Failure {
    let words = format!("it failed, and its worker ended ({}) before it could tell why", remains.end);
    Failure::new(FailureKind::Thrown, "unknown", words)
}

/// What follows a hand-out of which nobody can say what became of it.
fn recover(judge: &Judge<'_>, delivery: &Delivery) -> Settlement {
    if delivery.recoveries < MAX_RECOVERIES {
        let again = Delivery { recoveries: delivery.recoveries + 1, due: None, ..delivery.clone() };
        return Settlement::Replace(vec![Replacement::Delivery(again)]);
    }
    let words = format!("lost with its worker {} times over, with no scoreboard to tell why", MAX_RECOVERIES + 1);
    Settlement::Replace(vec![judge.dead(delivery, None, Failure::new(FailureKind::Killed, "lost", words))])
}
