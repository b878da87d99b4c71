//! Tries the codecs with values and bytes that nobody thought of: what is written is read again as it was, and mutated bytes, which anybody
//! can send, are refused or read, and never a panic. No seed but those here: a failure comes again.

#![allow(clippy::unwrap_used)]

use bytes::Bytes;
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::frame::{
    BrokerFrame, Chunk, ChunkDelivery, ClientFrame, Confirmation, Exception, FailedListener, Held, Hello, Publish, Ready,
    RejectCode, Report, ToClient, WHOLE_DELIVERY, Welcome, WorkerFrame,
};
use proletarier_core::listener::ListenerSpec;
use proletarier_core::queue::{ChunkRemains, Effects, ListenerMark, Queue, Remains, Rules};
use proletarier_core::record::{Headers, Priority, Record};
use proletarier_core::retry::RetryPolicy;
use proletarier_core::time::Now;
use std::cell::RefCell;
use std::time::Duration;

const VALUES: usize = 2_000;
const MUTATIONS: usize = 10_000;

/// A stream of numbers (SplitMix64, by Steele, Lea and Flood).
struct Dice(u64);

impl Dice {
    const fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let number = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ (number >> 31)
    }

    fn below(&mut self, count: usize) -> usize {
        (self.roll() % count.max(1) as u64) as usize
    }

    fn chance(&mut self) -> bool {
        self.roll() & 1 == 0
    }

    /// A number of any magnitude, the largest among them.
    fn number(&mut self) -> u64 {
        match self.below(8) {
            0 => 0,
            1 => u64::MAX,
            _ => self.roll() >> self.below(64),
        }
    }

    fn short(&mut self) -> u16 {
        self.number() as u16
    }

    fn word(&mut self) -> u32 {
        self.number() as u32
    }

    /// Text of `least` to `most` bytes.
    fn text(&mut self, least: usize, most: usize) -> String {
        const LETTERS: [char; 12] = ['a', 'Z', '0', '.', ' ', '"', '\\', '\n', '\u{1}', 'ü', '…', '𝄞'];
        let length = if self.below(8) == 0 { most } else { least + self.below(most.min(24) - least + 1) };
        let mut text = String::new();
        loop {
            let letter = LETTERS[self.below(LETTERS.len())];
            if text.len() + letter.len_utf8() > length {
                break;
            }
            text.push(letter);
        }
        // The name of an event must not be '0', and nothing that has to be there may be empty.
        while text.len() < least || text == "0" {
            text.push('x');
        }
        text
    }

    fn bytes(&mut self, most: usize) -> Bytes {
        (0..self.below(most + 1)).map(|_| self.roll() as u8).collect::<Vec<_>>().into()
    }

    fn maybe<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> Option<T> {
        self.chance().then(|| make(self))
    }

    fn some<T>(&mut self, most: usize, mut make: impl FnMut(&mut Self) -> T) -> Vec<T> {
        (0..self.below(most + 1)).map(|_| make(self)).collect()
    }

    fn failure(&mut self) -> Failure {
        let kinds: Vec<_> = (0..=u8::MAX).filter_map(FailureKind::from_u8).collect();
        let kind = kinds[self.below(kinds.len())];
        Failure {
            file: self.text(0, 64),
            line: self.word(),
            trace: self.text(0, 300),
            retry_after: self.maybe(Self::number),
            ..Failure::new(kind, self.text(0, 64), self.text(0, 300))
        }
    }

    fn failed(&mut self) -> FailedListener {
        let listener = if self.chance() { WHOLE_DELIVERY } else { self.short() };
        FailedListener { delivery: self.short(), listener, failure: self.failure() }
    }

    fn record(&mut self) -> Vec<u8> {
        let id: String = (0..=self.below(64)).map(|_| char::from(b"aZ09.-_:"[self.below(8)])).collect();
        let name = self.text(1, 255);
        let (queue, key, unique) =
            (self.maybe(|dice| dice.text(1, 64)), self.maybe(|dice| dice.text(1, 255)), self.maybe(|dice| dice.text(1, 255)));
        let headers = self.some(32, |dice| (dice.text(1, 64), dice.text(0, 1024)));
        let params = if self.chance() { b"{}".to_vec() } else { [&b"["[..], &self.bytes(300), b"]"].concat() };
        let record = Record {
            id: &id,
            name: &name,
            triggered_at: self.number(),
            at: self.maybe(Self::number),
            delay: self.maybe(Self::number),
            expires: self.maybe(Self::number),
            queue: queue.as_deref(),
            key: key.as_deref(),
            unique: unique.as_deref(),
            priority: Priority::WORDS[self.below(3)].1,
            unique_for: self.maybe(Self::number),
            headers: Headers::Pairs(&headers),
            params: &params,
        };
        let mut out = Vec::new();
        record.encode(&mut out);
        let read = Record::decode(&out).unwrap();
        let pairs: Vec<_> = read.headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
        assert_eq!(pairs, headers);
        assert_eq!(Record { headers: record.headers, ..read }, record);
        out
    }

    fn publish(&mut self) -> Bytes {
        let records: Vec<_> = (0..=self.below(4)).map(|_| self.record()).collect();
        let session = std::array::from_fn(|_| self.roll() as u8);
        let first = self.number().min(u64::MAX - records.len() as u64);
        let spooled = self.chance();
        let (confirm, synced) = (spooled || self.chance(), spooled || self.chance());
        let mut out = Vec::new();
        Publish::begin(&mut out);
        for record in &records {
            assert_eq!(Publish::push(&mut out, |out| out.extend_from_slice(record)), record.len());
        }
        if spooled {
            Publish::seal_spooled(&mut out, &session, first, records.len() as u32);
        } else {
            Publish::seal(&mut out, &session, first, records.len() as u32, confirm, synced);
        }
        assert!(Publish::records(&out).eq(records.iter().map(|record| &record[..])));
        let out = Bytes::from(out);
        let records = records.into_iter().map(Bytes::from).collect();
        let batch = Publish { session, first, confirm, synced, spooled, records };
        assert_eq!(ClientFrame::decode(&out), Ok(ClientFrame::Publish(batch)));
        out
    }

    fn tell_client(&mut self) -> Bytes {
        let frame = match self.below(3) {
            0 => ToClient::Welcome(Welcome { epoch: self.number(), max_message: self.word() }),
            1 => ToClient::Refused(self.text(0, 300)),
            _ => ToClient::Confirm(Confirmation {
                session: std::array::from_fn(|_| self.roll() as u8),
                first: self.number(),
                count: self.word(),
                exceptions: self.some(4, |dice| {
                    let codes = [RejectCode::Malformed, RejectCode::TooLarge, RejectCode::Overloaded, RejectCode::Unique];
                    let code = codes[dice.below(codes.len())];
                    Exception { number: dice.number(), code, reason: dice.text(0, 300) }
                }),
            }),
        };
        let mut out = Vec::new();
        frame.encode(&mut out);
        assert_eq!(ToClient::decode(&out), Ok(frame));
        out.into()
    }

    fn listener(&mut self) -> ListenerSpec {
        ListenerSpec {
            id: self.text(0, 64),
            event: self.text(0, 64),
            retry: self.maybe(|dice| RetryPolicy {
                max_attempts: dice.short(),
                delay: Duration::from_micros(dice.number()),
                multiplier: dice.word().into(),
                max_delay: Duration::from_micros(dice.number()),
                jitter: dice.below(9) as f64 / 8.0,
            }),
            timeout: self.maybe(|dice| f64::from(dice.word()) / 8.0),
            parallel: self.chance(),
        }
    }

    fn remains(&mut self) -> Remains {
        let chunk = |dice: &mut Self| ChunkRemains {
            number: dice.word(),
            finished: dice.short(),
            claimed: dice.short(),
            marks: dice.some(4, |dice| ListenerMark { delivery: dice.short(), listener: dice.short(), failed: dice.chance() }),
        };
        Remains {
            incarnation: self.word(),
            chunks: self.some(4, chunk),
            listener: self.maybe(Self::short),
            last_words: self.maybe(Self::failure),
            end: self.text(0, 64),
        }
    }

    fn hear_worker(&mut self) -> Bytes {
        let held = |dice: &mut Self| Held {
            frame: dice.tell_worker(),
            finished: dice.short(),
            claimed: dice.short(),
            limit: dice.short(),
            failures: dice.some(3, Self::failed),
        };
        let frame = match self.below(6) {
            0 => WorkerFrame::Leaving,
            1 => WorkerFrame::Heartbeat,
            2 => WorkerFrame::Revoked { chunk: self.word(), limit: self.short() },
            3 => WorkerFrame::Report(Report {
                chunk: self.word(),
                finished: self.short(),
                closed: self.chance(),
                micros: self.word(),
                failures: self.some(3, Self::failed),
            }),
            _ => {
                let hello = Hello {
                    epoch: self.number(),
                    slot: self.word(),
                    incarnation: self.word(),
                    generation: self.word(),
                    pid: self.word(),
                    last_chunk: self.word(),
                    remote: self.chance(),
                    listeners: self.some(4, Self::listener),
                    predecessor: self.maybe(Self::remains),
                };
                WorkerFrame::Ready(Ready { hello, held: self.some(3, held) })
            }
        };
        let mut out = Vec::new();
        frame.encode(&mut out);
        let out = Bytes::from(out);
        assert_eq!(WorkerFrame::decode(&out), Ok(frame));
        out
    }

    fn tell_worker(&mut self) -> Bytes {
        let delivery = |dice: &mut Self| ChunkDelivery {
            token: dice.number(),
            attempt: dice.short(),
            only: dice.maybe(|dice| dice.some(3, |dice| dice.text(0, 300))),
            record: if dice.chance() { dice.record().into() } else { dice.bytes(100) },
        };
        let frame = match self.below(5) {
            0 => BrokerFrame::Settled(self.word()),
            1 => BrokerFrame::Enquire(self.number()),
            2 => BrokerFrame::Revoke(self.word()),
            _ => BrokerFrame::Chunk(Chunk {
                epoch: self.number(),
                number: self.word(),
                settled: self.word(),
                deliveries: self.some(4, delivery),
            }),
        };
        let mut out = Vec::new();
        frame.encode(&mut out);
        let out = Bytes::from(out);
        assert_eq!(BrokerFrame::decode(&out), Ok(frame));
        out
    }

    /// The bytes with some of them changed, cut out, put in, or repeated; lengths are most of what is worth changing.
    fn mutate(&mut self, bytes: &[u8]) -> Bytes {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let place = self.below(bytes.len() + 1);
            match self.below(6) {
                0 => bytes.truncate(place),
                1 => bytes.insert(place, self.roll() as u8),
                2 => drop(bytes.drain(place..(place + self.below(9)).min(bytes.len()))),
                3 => bytes.extend_from_within(place..),
                kind => {
                    let width = [1, 2, 4, 8][self.below(4)];
                    let value = if kind == 4 { u64::MAX } else { self.number() };
                    bytes.iter_mut().skip(place).zip(value.to_le_bytes()).take(width).for_each(|(byte, new)| *byte = new);
                }
            }
        }
        bytes.into()
    }

    /// Makes values, which are read as they were written, then mutates their bytes; `read` tells whether there was something to read.
    fn try_codec(mut self, make: impl Fn(&mut Self) -> Bytes, read: impl Fn(&Bytes) -> bool) {
        let valid: Vec<_> = (0..VALUES).map(|_| make(&mut self)).collect();
        assert!(valid.iter().all(&read));
        let mut refused = 0;
        for _ in 0..MUTATIONS {
            let place = self.below(VALUES);
            let mutant = self.mutate(&valid[place]);
            refused += usize::from(!read(&mutant));
        }
        assert!((1..MUTATIONS).contains(&refused), "{refused} of {MUTATIONS} refused: nothing of that was a test");
    }
}

#[test]
fn records() {
    let read = |bytes: &Bytes| Record::decode(bytes).map(|record| record.headers.iter().count()).is_ok();
    Dice(1).try_codec(|dice| dice.record().into(), read);
}

#[test]
fn what_clients_send() {
    let read = |bytes: &Bytes| match ClientFrame::decode(bytes) {
        Ok(ClientFrame::Publish(batch)) => {
            assert!(batch.first.checked_add(batch.records.len() as u64).is_some(), "numbers that are none");
            assert!(Publish::records(bytes).eq(batch.records.iter().map(|record| &record[..])));
            batch.records.iter().filter(|record| Record::decode(record).is_ok()).count() <= batch.records.len()
        }
        Err(_) => {
            // What a client does with bytes of its own has no frame around it that was checked.
            let _ = Publish::records(bytes).count();
            false
        }
    };
    Dice(2).try_codec(Dice::publish, read);
}

#[test]
fn what_clients_are_told() {
    Dice(3).try_codec(Dice::tell_client, |bytes| ToClient::decode(bytes).is_ok());
}

#[test]
fn what_workers_send() {
    Dice(4).try_codec(Dice::hear_worker, |bytes| WorkerFrame::decode(bytes).is_ok());
}

#[test]
fn what_workers_are_told() {
    Dice(5).try_codec(Dice::tell_worker, |bytes| BrokerFrame::decode(bytes).is_ok());
}

#[test]
fn frames_of_the_wrong_kind_are_refused() {
    let mut dice = Dice(6);
    for _ in 0..VALUES {
        let (from_client, to_client) = (dice.publish(), dice.tell_client());
        let (from_worker, to_worker) = (dice.hear_worker(), dice.tell_worker());
        assert!([&to_client, &from_worker, &to_worker].iter().all(|frame| ClientFrame::decode(frame).is_err()));
        assert!([&from_client, &from_worker, &to_worker].iter().all(|frame| ToClient::decode(frame).is_err()));
        assert!([&from_client, &to_client, &to_worker].iter().all(|frame| WorkerFrame::decode(frame).is_err()));
        assert!([&from_client, &to_client, &from_worker].iter().all(|frame| BrokerFrame::decode(frame).is_err()));
    }
}

/// A queue that a broker before left workers to.
fn queue() -> RefCell<(Queue, Effects)> {
    let rules = Rules { retry: RetryPolicy::default(), max_message: 50 };
    RefCell::new((Queue::new(rules).recovering(["a".to_owned()]), Effects::default()))
}

#[test]
fn no_client_makes_the_queue_panic() {
    let queue = queue();
    let read = |bytes: &Bytes| {
        let Ok(ClientFrame::Publish(batch)) = ClientFrame::decode(bytes) else { return false };
        let (queue, effects) = &mut *queue.borrow_mut();
        queue.handle_publish(&Bytes::from_static(b"client"), batch, Now::default(), effects);
        true
    };
    Dice(7).try_codec(Dice::publish, read);
}

#[test]
fn no_worker_makes_the_queue_panic() {
    let queue = queue();
    let dice = RefCell::new(Dice(8));
    let read = |bytes: &Bytes| {
        let (queue, effects) = &mut *queue.borrow_mut();
        let (mut dice, now) = (dice.borrow_mut(), Now::default());
        let id = dice.below(3) as u64;
        match WorkerFrame::decode(bytes) {
            Ok(WorkerFrame::Ready(ready)) => {
                drop(queue.handle_ready(id, ready, &mut |held| Some(held.delivery.clone()), now, effects))
            }
            Ok(WorkerFrame::Report(report)) => queue.handle_report(id, &report, now, effects),
            Ok(WorkerFrame::Leaving) => queue.handle_leaving(id, effects),
            Ok(WorkerFrame::Revoked { chunk, limit }) => queue.handle_taken_back(id, chunk, limit, now, effects),
            Ok(WorkerFrame::Heartbeat) => queue.handle_tick(now, effects),
            Err(_) => {
                let remains = dice.maybe(Dice::remains);
                queue.handle_death(id, remains.as_ref(), now, effects);
                return false;
            }
        }
        assert!(queue.wants().iter().all(|(_, count)| *count < MUTATIONS));
        true
    };
    Dice(9).try_codec(Dice::hear_worker, read);
}
