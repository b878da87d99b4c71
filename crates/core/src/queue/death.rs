//! Settles what a dead worker had: finished deliveries are done, unclaimed ones go out again uncounted, and the running one is split by listener.

use super::outcome::{Failures, Judge};
use super::remains::{ChunkRemains, Remains};
use super::report::settle;
use super::worker::OpenChunk;
use super::{Effects, Queue, Reply, WorkerId};
use crate::backlog::{Reserved, Settlement};
use crate::delivery::Delivery;
use crate::failure::{Failure, FailureKind};
use crate::frame::WHOLE_DELIVERY;
use crate::listener::ListenerTable;
use crate::record::Record;
use crate::time::Now;
use std::collections::HashSet;

/// Hand-outs of which nobody could say what became of them, after which an event is dead (Sidekiq Pro: 3 recoveries).
const MAX_RECOVERIES: u8 = 3;

impl Queue {
    /// A worker is dead. `remains` is its slot of the scoreboard; none where that is lost.
    pub fn handle_death(&mut self, id: WorkerId, remains: Option<&Remains>, now: Now, effects: &mut Effects) {
        if let Some(worker) = self.workers.remove(&id) {
            self.counters.deaths += u64::from(!worker.leaving || !worker.chunks.is_empty());
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
                        unclaimed.extend(open.cut(usize::from(chunk.claimed)));
                    }
                    None => {
                        for reserved in open.deliveries.into_iter().flatten() {
                            let settlement = recover(&judge, &reserved.delivery);
                            settle(reserved.token, settlement, &mut self.counters, effects);
                        }
                    }
                }
            }
            self.give_back(unclaimed);
        }
        effects.after.push(Reply::Buried(id));
        self.hand_out(now, effects);
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
            let Some(Reserved { token, delivery }) = open.deliveries[place].take() else { continue };
            let marks = || chunk.marks.iter().filter(|mark| usize::from(mark.delivery) == place);
            let mut failures: Failures =
                marks().filter(|mark| mark.failed).map(|mark| (mark.listener, unknown(remains))).collect();
            let mut unfinished = Vec::new();
            if place >= usize::from(chunk.finished) {
                let ended: HashSet<_> = marks().map(|mark| mark.listener).collect();
                let of_delivery = listeners(judge.table, &delivery);
                unfinished = of_delivery.into_iter().filter(|listener| !ended.contains(listener)).collect();
                let died_in = remains.listener.filter(|listener| unfinished.contains(listener));
                let words = cause(remains);
                match died_in {
                    Some(listener) => {
                        unfinished.retain(|other| *other != listener);
                        failures.push((listener, words));
                    }
                    // It died between its listeners: nobody else can be blamed than all that were still to come.
                    None => failures.extend(unfinished.drain(..).map(|listener| (listener, words.clone()))),
                }
                if ended.is_empty() && failures.is_empty() && unfinished.is_empty() && delivery.only().is_none() {
                    failures.push((WHOLE_DELIVERY, cause(remains)));
                }
            }
            let identity = |listener: &u16| judge.table.get(*listener).map(|spec| spec.id.clone());
            let settlement = judge.settle(&delivery, failures, unfinished.iter().filter_map(identity).collect());
            settle(token, settlement, &mut self.counters, effects);
        }
        open.settled = open.settled.max(usize::from(chunk.claimed).min(open.limit));
    }
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
    if delivery.recoveries >= MAX_RECOVERIES {
        let words = format!("lost with its worker {MAX_RECOVERIES} times over, with no scoreboard to tell why");
        let spent = Delivery { attempt: u16::MAX, ..delivery.clone() };
        return judge.settle(&spent, vec![(WHOLE_DELIVERY, Failure::new(FailureKind::Killed, "lost", words))], Vec::new());
    }
    let again = Delivery { recoveries: delivery.recoveries + 1, due: None, ..delivery.clone() };
    Settlement::Replace(vec![crate::backlog::Replacement::Delivery(again)])
}
