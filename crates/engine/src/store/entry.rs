//! Defines the entries of the journal: what happened, in the order in which it did.
//!
//! ```text
//! 1 delivery   a delivery, with its place in its client's session
//! 2 done       ranges of sequence numbers that are settled: u64 first, u32 count, each
//! 3 replace    u64 settled; u16 count; each: u8 kind, u32 length, a delivery or a letter (u64 number, u64 at, a delivery)
//! 4 facts      of sessions, carried on from a segment that goes: see `facts`
//! 5 start      the segments that there were when this one began: u64, each
//! 6 dropped    u64: a segment that goes
//! 7 letter     u64 at; a delivery that is dead from the start, its sequence number being the letter's number
//! 8 hole       where damage was: what was there was set aside, and stands nowhere any more
//! ```
//! A delivery is `u8 flags, u64 sequence, u16 attempt, u8 recoveries`, then what the flags name: `u64 due`, `u64 expires`, session and number, `u32
//! length` and JSON of what only few have; then the record. Due times are wall time in microseconds: those of the monotonic clock as it
//! stood to the wall clock when the store was opened.

use super::clocks::Clocks;
use super::facts::Facts;
use bytes::{Buf, BufMut, Bytes, TryGetError};
use proletarier_core::backlog::Origin;
use proletarier_core::delivery::{DeadLetter, Delivery, Due, Rest, SpentAttempt, Unique};
use proletarier_core::time::Wall;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The tags of entries.
mod kind {
    pub const DELIVERY: u8 = 1;
    pub const DONE: u8 = 2;
    pub const REPLACE: u8 = 3;
    pub const FACTS: u8 = 4;
    pub const START: u8 = 5;
    pub const DROPPED: u8 = 6;
    pub const LETTER: u8 = 7;
    pub const HOLE: u8 = 8;
}

mod flag {
    pub const AT: u8 = 1;
    pub const AFTER: u8 = 2;
    pub const EXPIRES: u8 = 4;
    pub const REST: u8 = 8;
    /// Session and number stand there.
    pub const ORIGIN: u8 = 16;
    /// The session of the delivery before it in the segment, and the number after that one's.
    pub const NEXT: u8 = 32;
}

/// Sequence numbers in a row: the first, and how many.
pub(super) type Run = (u64, u32);

/// What an entry says of one event.
pub(super) struct Kept {
    pub sequence: u64,
    pub delivery: Delivery,
    /// A dead letter's number, which lists are ordered by, and when it died.
    pub dead: Option<(u64, u64)>,
    pub origin: KeptOrigin,
}

/// Where an event came from, as an entry says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeptOrigin {
    None,
    Is(Origin),
    /// One number after the delivery before it.
    Next,
}

/// An entry.
pub(super) enum Entry {
    Delivery(Kept),
    Done(Vec<Run>),
    Replace(u64, Vec<Kept>),
    Facts(Facts),
    Start(Vec<u64>),
    Dropped(u64),
    Hole,
}

/// An entry that is whole, and not one that this version knows.
#[derive(Debug)]
pub(super) struct Unreadable;

impl From<TryGetError> for Unreadable {
    fn from(_: TryGetError) -> Self {
        Self
    }
}

/// What only few have, as it is kept.
#[derive(Serialize, Deserialize)]
struct KeptRest<'a> {
    #[serde(skip_serializing_if = "Option::is_none", default)]
    only: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Vec::is_empty", default)]
    history: Vec<SpentAttempt>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    unique: Option<(std::borrow::Cow<'a, str>, u64)>,
    /// Not known to releases before order by key, which pass over it: their brokers block no keys.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    holds_key: bool,
}

impl Entry {
    /// Reads an entry's body.
    pub fn decode(body: &Bytes, clocks: &Clocks) -> Result<Self, Unreadable> {
        let mut rest = body.clone();
        Ok(match rest.try_get_u8()? {
            kind::DELIVERY => Self::Delivery(delivery(&mut rest, clocks)?),
            kind::DONE => {
                let mut runs = Vec::with_capacity(rest.len() / 12);
                while !rest.is_empty() {
                    runs.push((rest.try_get_u64_le()?, rest.try_get_u32_le()?));
                }
                Self::Done(runs)
            }
            kind::REPLACE => {
                let (settled, count) = (rest.try_get_u64_le()?, rest.try_get_u16_le()?);
                let kept = (0..count).map(|_| replacement(&mut rest, clocks)).collect::<Result<_, _>>()?;
                Self::Replace(settled, kept)
            }
            kind::FACTS => Self::Facts(Facts::decode(&mut rest)?),
            kind::START => {
                let mut segments = Vec::new();
                while !rest.is_empty() {
                    segments.push(rest.try_get_u64_le()?);
                }
                Self::Start(segments)
            }
            kind::DROPPED => Self::Dropped(rest.try_get_u64_le()?),
            kind::HOLE => Self::Hole,
            kind::LETTER => {
                let at = rest.try_get_u64_le()?;
                let kept = delivery(&mut rest, clocks)?;
                Self::Delivery(Kept { dead: Some((kept.sequence, at)), ..kept })
            }
            _ => return Err(Unreadable),
        })
    }
}

/// Writes a delivery's entry.
pub(super) fn put_delivery(out: &mut Vec<u8>, sequence: u64, delivery: &Delivery, origin: KeptOrigin, clocks: &Clocks) {
    out.push(kind::DELIVERY);
    put(out, sequence, delivery, origin, clocks);
}

/// Writes the entry of one that is dead from the start.
pub(super) fn put_letter(out: &mut Vec<u8>, sequence: u64, at: u64, delivery: &Delivery, origin: KeptOrigin, clocks: &Clocks) {
    out.push(kind::LETTER);
    out.put_u64_le(at);
    put(out, sequence, delivery, origin, clocks);
}

/// Writes the entry of settled ones.
pub(super) fn put_done(out: &mut Vec<u8>, runs: &[Run]) {
    out.push(kind::DONE);
    for (first, count) in runs {
        out.put_u64_le(*first);
        out.put_u32_le(*count);
    }
}

/// Writes a replacement's entry: of `settled`, by what `each` writes with [`Replacing`].
pub(super) fn put_replace(out: &mut Vec<u8>, settled: u64, count: u16, each: impl FnOnce(&mut Replacing<'_>)) {
    out.push(kind::REPLACE);
    out.put_u64_le(settled);
    out.put_u16_le(count);
    each(&mut Replacing(out));
}

/// Writes what stands in a settled delivery's place.
pub(super) struct Replacing<'a>(&'a mut Vec<u8>);

impl Replacing<'_> {
    pub fn delivery(&mut self, sequence: u64, delivery: &Delivery, clocks: &Clocks) {
        self.0.push(0);
        self.sized(|out| put(out, sequence, delivery, KeptOrigin::None, clocks));
    }

    pub fn letter(&mut self, sequence: u64, number: u64, letter: &DeadLetter, clocks: &Clocks) {
        self.0.push(1);
        self.sized(|out| {
            out.put_u64_le(number);
            out.put_u64_le(letter.at);
            put(out, sequence, &letter.delivery, KeptOrigin::None, clocks);
        });
    }

    fn sized(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let start = self.0.len();
        self.0.put_u32_le(0);
        write(self.0);
        let length = (self.0.len() - start - 4) as u32;
        self.0[start..start + 4].copy_from_slice(&length.to_le_bytes());
    }
}

/// Writes what is known of sessions.
pub(super) fn put_facts(out: &mut Vec<u8>, facts: &Facts) {
    out.push(kind::FACTS);
    facts.encode(out);
}

/// Writes a segment's first entry.
pub(super) fn put_start(out: &mut Vec<u8>, segments: impl Iterator<Item = u64>) {
    out.push(kind::START);
    segments.for_each(|segment| out.put_u64_le(segment));
}

/// Writes that a segment goes.
pub(super) fn put_dropped(out: &mut Vec<u8>, segment: u64) {
    out.push(kind::DROPPED);
    out.put_u64_le(segment);
}

/// Writes what stands where damage was, `length` bytes.
pub(super) fn put_hole(out: &mut Vec<u8>, length: usize) {
    out.push(kind::HOLE);
    out.resize(out.len() + length - 1, 0);
}

fn put(out: &mut Vec<u8>, sequence: u64, delivery: &Delivery, origin: KeptOrigin, clocks: &Clocks) {
    let due = delivery.due.map(|due| match due {
        Due::At(at) => (flag::AT, at.0),
        Due::After(at) => (flag::AFTER, clocks.wall(at)),
    });
    let origin_flag = match origin {
        KeptOrigin::None => 0,
        KeptOrigin::Is(_) => flag::ORIGIN,
        KeptOrigin::Next => flag::NEXT,
    };
    let flags = due.map_or(0, |(flag, _)| flag)
        | delivery.expires.map_or(0, |_| flag::EXPIRES)
        | delivery.rest.as_ref().map_or(0, |_| flag::REST)
        | origin_flag;
    out.push(flags);
    out.put_u64_le(sequence);
    out.put_u16_le(delivery.attempt);
    out.push(delivery.recoveries);
    if let Some((_, due)) = due {
        out.put_u64_le(due);
    }
    if let Some(expires) = delivery.expires {
        out.put_u64_le(expires.0);
    }
    if let KeptOrigin::Is(origin) = origin {
        out.extend_from_slice(&origin.session);
        out.put_u64_le(origin.number);
    }
    if let Some(rest) = &delivery.rest {
        let kept = KeptRest {
            only: rest.only.as_ref().map(|only| only.to_vec()),
            history: rest.history.clone(),
            unique: rest.unique.as_ref().map(|unique| ((&*unique.key).into(), unique.until.0)),
            holds_key: rest.holds_key,
        };
        let json = serde_json::to_vec(&kept).unwrap_or_default();
        out.put_u32_le(json.len() as u32);
        out.extend_from_slice(&json);
    }
    out.extend_from_slice(&delivery.record);
}

fn replacement(rest: &mut Bytes, clocks: &Clocks) -> Result<Kept, Unreadable> {
    let (kind, length) = (rest.try_get_u8()?, rest.try_get_u32_le()? as usize);
    if length > rest.len() {
        return Err(Unreadable);
    }
    let mut body = rest.split_to(length);
    let dead = if kind == 0 { None } else { Some((body.try_get_u64_le()?, body.try_get_u64_le()?)) };
    Ok(Kept { dead, ..delivery(&mut body, clocks)? })
}

fn delivery(rest: &mut Bytes, clocks: &Clocks) -> Result<Kept, Unreadable> {
    let flags = rest.try_get_u8()?;
    let (sequence, attempt, recoveries) = (rest.try_get_u64_le()?, rest.try_get_u16_le()?, rest.try_get_u8()?);
    let due = match flags & (flag::AT | flag::AFTER) {
        0 => None,
        flag::AT => Some(Due::At(Wall(rest.try_get_u64_le()?))),
        _ => Some(Due::After(clocks.mono(rest.try_get_u64_le()?))),
    };
    let expires = if flags & flag::EXPIRES == 0 { None } else { Some(Wall(rest.try_get_u64_le()?)) };
    let origin = match flags & (flag::ORIGIN | flag::NEXT) {
        0 => KeptOrigin::None,
        flag::NEXT => KeptOrigin::Next,
        _ => {
            let mut session = [0; 16];
            rest.try_copy_to_slice(&mut session)?;
            KeptOrigin::Is(Origin { session, number: rest.try_get_u64_le()? })
        }
    };
    let more = if flags & flag::REST == 0 {
        None
    } else {
        let length = rest.try_get_u32_le()? as usize;
        if length > rest.len() {
            return Err(Unreadable);
        }
        let kept: KeptRest<'_> = serde_json::from_slice(&rest.split_to(length)).map_err(|_| Unreadable)?;
        let unique = kept.unique.map(|(key, until)| Unique { key: key.as_ref().into(), until: Wall(until) });
        Some(Arc::new(Rest { only: kept.only.map(Into::into), history: kept.history, unique, holds_key: kept.holds_key }))
    };
    let record = std::mem::take(rest);
    Ok(Kept {
        sequence,
        delivery: Delivery { record, attempt, recoveries, due, expires, lane: 0, rest: more },
        dead: None,
        origin,
    })
}
