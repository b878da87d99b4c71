//! Tests of the queue, with a shell around it that keeps and says at once. What dies in the middle of that is the simulator's (tests/simulator).

mod deaths;
mod hand_outs;
mod intake;
mod keys;
mod lanes;
mod leaks;
mod letters;
mod outcomes;
mod overload;
mod parallel;
mod recoveries;
mod spooled;
mod uniques;
mod waiting;
mod watches;

use super::{Effects, HandOut, Queue, Reply, Rules, WorkerId};
use crate::backlog::{Backlog, Completion, Memory, Token};
use crate::delivery::{DeadLetter, Delivery};
use crate::failure::{Failure, FailureKind};
use crate::frame::{Confirmation, FailedListener, Hello, Publish, Ready, RejectCode, Report};
use crate::listener::{ListenerIndex, ListenerSpec};
use crate::record::Record;
use crate::retry::RetryPolicy;
use crate::time::{Mono, Now, Wall};
use bytes::Bytes;
use std::time::Duration;

const SECOND: u64 = 1_000_000;

/// A queue, its backlog, and what was said and not yet looked at.
struct Rig {
    queue: Queue,
    backlog: Memory,
    effects: Effects,
    now: Now,
    said: Vec<Reply>,
    next: u64,
}

fn policy(max_attempts: u16) -> RetryPolicy {
    let (delay, max_delay) = (Duration::from_secs(5), Duration::from_secs(3600));
    RetryPolicy { max_attempts, delay, multiplier: 3.0, max_delay, jitter: 0.0 }
}

fn spec(id: &str, event: &str) -> ListenerSpec {
    ListenerSpec { id: id.into(), event: event.into(), retry: None, timeout: None, parallel: false }
}

fn named<'a>(id: &'a str, name: &'a str) -> Record<'a> {
    Record { id, name, params: b"{}", ..Record::default() }
}

fn record(id: &str, name: &str) -> Bytes {
    let mut out = Vec::new();
    named(id, name).encode(&mut out);
    out.into()
}

fn batch(first: u64, records: impl IntoIterator<Item = Bytes>) -> Publish {
    Publish { session: [7; 16], first, confirm: true, synced: false, spooled: false, records: records.into_iter().collect() }
}

fn thrown() -> Failure {
    Failure::new(FailureKind::Thrown, "E", "why")
}

fn failed(delivery: u16, listener: ListenerIndex, failure: Failure) -> FailedListener {
    FailedListener { delivery, listener, failure }
}

impl Rig {
    fn new() -> Self {
        let now = Now { mono: Mono(1_000), wall: Wall(1_000_000_000), dice: 0 };
        let queue = Queue::new(Rules { retry: policy(3), max_message: 1000 });
        Self { queue, backlog: Memory::new(1), effects: Effects::default(), now, said: Vec::new(), next: 0 }
    }

    /// A worker with these listeners introduces itself.
    fn join(&mut self, id: WorkerId, listeners: Vec<ListenerSpec>) {
        let hello = Hello { listeners, ..Hello::default() };
        self.ready(id, Ready { hello, held: Vec::new() });
    }

    fn ready(&mut self, id: WorkerId, ready: Ready) {
        let backlog = &mut self.backlog;
        self.queue.handle_ready(id, ready, &mut |held| backlog.adopt(held), self.now, &mut self.effects).unwrap();
        self.keep();
    }

    /// Events of this name come in, with ids that count on from 0.
    fn publish(&mut self, name: &str, count: usize) {
        let first = self.next;
        let records: Vec<_> = (first..).take(count).map(|number| record(&number.to_string(), name)).collect();
        self.next += count as u64;
        self.publish_batch(batch(first, records));
    }

    fn publish_batch(&mut self, batch: Publish) -> Confirmation {
        self.queue.handle_publish(&Bytes::from_static(b"client"), batch, self.now, &mut self.effects);
        self.keep();
        let place = self.said.iter().position(|reply| matches!(reply, Reply::Confirm(..))).unwrap();
        let Reply::Confirm(_, confirmation) = self.said.remove(place) else { unreachable!() };
        confirmation
    }

    fn report(&mut self, id: WorkerId, chunk: u32, finished: u16, closed: bool, failures: Vec<FailedListener>) {
        let report = Report { chunk, finished, closed, micros: 250 * u32::from(finished), failures };
        self.queue.handle_report(id, &report, self.now, &mut self.effects);
        self.keep();
    }

    fn pass(&mut self, micros: u64) {
        self.now.mono = self.now.mono.plus(micros);
        self.now.wall = self.now.wall.plus(micros);
        self.backlog.promote(self.now);
        self.queue.handle_tick(self.now, &mut self.effects);
        self.keep();
    }

    /// Keeps, says and fetches until there is nothing more to.
    fn keep(&mut self) {
        loop {
            self.said.append(&mut self.effects.before);
            self.said.append(&mut self.effects.at_once);
            self.backlog.append(&mut self.effects.append, self.now);
            self.backlog.settle(&mut self.effects.settle, self.now);
            self.said.append(&mut self.effects.after);
            self.said.append(&mut self.effects.after_sync);
            for (lane, count) in self.queue.wants() {
                self.backlog.fetch_from(lane, count);
            }
            let mut all = Vec::new();
            while let Some(completion) = self.backlog.poll() {
                if let Completion::Fetched(fetched) = completion {
                    all.extend(fetched);
                }
            }
            let more = !all.is_empty();
            self.queue.handle_fetched(all, self.now, &mut self.effects);
            if !more && !self.effects.commits() && self.effects.at_once.is_empty() {
                return;
            }
        }
    }

    /// An event with a unique key comes in; the id of the one that was there.
    fn publish_unique(&mut self, id: &str, key: &str, seconds: Option<u64>) -> Option<String> {
        let record = Record { unique: Some(key), unique_for: seconds.map(|seconds| seconds * SECOND), ..named(id, "x") };
        self.publish_record(&record).map(|(code, reason)| {
            assert_eq!(code, RejectCode::Unique);
            reason
        })
    }

    /// An event comes in; why it was refused.
    fn publish_record(&mut self, record: &Record<'_>) -> Option<(RejectCode, String)> {
        let mut out = Vec::new();
        record.encode(&mut out);
        self.next += 1;
        let confirmation = self.publish_batch(batch(self.next - 1, [out.into()]));
        confirmation.exceptions.into_iter().next().map(|exception| (exception.code, exception.reason))
    }

    /// The dead letters, with their tokens.
    fn letters(&mut self) -> Vec<(Token, DeadLetter)> {
        self.backlog.dead(0, usize::MAX).items
    }

    /// The chunks that were handed out since this was last asked.
    fn chunks(&mut self) -> Vec<(WorkerId, HandOut)> {
        let (chunks, others) = std::mem::take(&mut self.said).into_iter().partition(|reply| matches!(reply, Reply::Chunk(..)));
        self.said = others;
        let chunks: Vec<Reply> = chunks;
        chunks
            .into_iter()
            .filter_map(|reply| if let Reply::Chunk(id, chunk) = reply { Some((id, chunk)) } else { None })
            .collect()
    }

    /// The only chunk that was handed out since this was last asked.
    fn chunk(&mut self) -> HandOut {
        let mut chunks = self.chunks();
        assert_eq!(chunks.len(), 1, "{chunks:?}");
        chunks.remove(0).1
    }

    /// Makes the queue hand chunks of this many out, as to fast listeners.
    fn hurry(&mut self, size: usize) {
        let micros = 2_000 / size as u32;
        (0..40).for_each(|_| self.queue.scheduler.observe(0, 1, micros));
    }

    /// What waits in the backlog, parked or not, in the order in which it is due.
    fn waiting(&mut self) -> Vec<Delivery> {
        self.backlog.promote(Now { mono: Mono(u64::MAX), wall: Wall(u64::MAX), dice: 0 });
        self.backlog.fetch(usize::MAX);
        while let Some(completion) = self.backlog.poll() {
            if let Completion::Fetched(fetched) = completion {
                return fetched.into_iter().map(|reserved| reserved.delivery).collect();
            }
        }
        Vec::new()
    }

    fn dead(&mut self) -> Vec<DeadLetter> {
        self.backlog.dead(0, usize::MAX).items.into_iter().map(|(_, letter)| letter).collect()
    }
}

fn id(delivery: &Delivery) -> &str {
    Record::decode(&delivery.record).unwrap().id
}

fn ids(chunk: &HandOut) -> Vec<&str> {
    chunk.deliveries.iter().map(|reserved| id(&reserved.delivery)).collect()
}

fn only(delivery: &Delivery) -> Vec<&str> {
    delivery.only().unwrap_or_default().iter().map(String::as_str).collect()
}
