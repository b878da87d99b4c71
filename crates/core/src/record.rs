//! Defines the event's record: the bytes that an event is from trigger() to the last outcome. Nothing re-encodes it on the way.
//!
//! ```text
//! u8 version (1)
//! u8 length, id            1 to 64 bytes of [A-Za-z0-9._:-]
//! u8 length, name          1 to 255 bytes of UTF-8, see `name`
//! u64 triggered at         wall time, microseconds
//! fields, each: u8 tag (not 0), u16 length, bytes; unknown tags are passed over
//! u8 0
//! u32 length, params       JSON, an object or an array
//! u8 0                     PHP's JSON decoder reads the byte after the end
//! ```
//! Numbers are little endian.

use crate::frame::cursor::{Cursor, Short};
use crate::name::{self, NameError};

/// The version that this code writes, and the only one it reads.
pub const VERSION: u8 = 1;
/// Longest id in bytes.
pub const MAX_ID: usize = 64;
/// How long a unique key is held where nothing else is asked for, in microseconds: a day (this project's choice; it outlasts the default
/// retry policy's attempts, and frees a key whose event waits for a worker that never comes).
pub const UNIQUE_FOR: u64 = 86_400 * 1_000_000;

/// Tags of the optional fields.
mod tag {
    pub const END: u8 = 0;
    pub const AT: u8 = 1;
    pub const DELAY: u8 = 2;
    pub const EXPIRES: u8 = 3;
    pub const QUEUE: u8 = 4;
    pub const KEY: u8 = 5;
    pub const UNIQUE: u8 = 6;
    pub const HEADER: u8 = 7;
    pub const UNIQUE_FOR: u8 = 8;
    pub const PRIORITY: u8 = 9;
}

/// An event about to be written as a record, and what is read from one. All text is borrowed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Record<'a> {
    /// UUIDv7, or the caller's.
    pub id: &'a str,
    /// The event's name.
    pub name: &'a str,
    /// Wall time of trigger(), in microseconds.
    pub triggered_at: u64,
    /// Not before this wall time, in microseconds.
    pub at: Option<u64>,
    /// Not before this many microseconds have passed since the broker took it.
    pub delay: Option<u64>,
    /// Not after this wall time, in microseconds.
    pub expires: Option<u64>,
    /// The queue asked for, 1 to 64 bytes.
    pub queue: Option<&'a str>,
    /// Events of one key run in order, 1 to 255 bytes.
    pub key: Option<&'a str>,
    /// At most one of these waits or runs, 1 to 255 bytes.
    pub unique: Option<&'a str>,
    /// Which of its queue goes first.
    pub priority: Priority,
    /// How long `unique` is held at most, in microseconds from when the event is due; none: [`UNIQUE_FOR`].
    pub unique_for: Option<u64>,
    /// Headers such as traceparent.
    pub headers: Headers<'a>,
    /// JSON, an object or an array.
    pub params: &'a [u8],
}

/// What goes first within a queue.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(u8)]
pub enum Priority {
    /// What nothing is said of.
    #[default]
    Normal = 0,
    /// Before all others of its queue.
    High = 1,
    /// When nothing else of its queue waits.
    Low = 2,
}

impl Priority {
    /// The words for it, in the order in which messages tell them.
    pub const WORDS: [(&str, Self); 3] = [("high", Self::High), ("normal", Self::Normal), ("low", Self::Low)];

    /// The priority that a word names.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(known, _)| *known == word).map(|(_, priority)| *priority)
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        Self::WORDS.iter().find(|(_, priority)| *priority == self).map_or("normal", |(word, _)| word)
    }

    /// Its place among its queue's lanes.
    #[must_use]
    pub const fn lane(self) -> u16 {
        self as u16
    }

    fn read(value: &[u8]) -> Option<Self> {
        match value {
            [1] => Some(Self::High),
            [2] => Some(Self::Low),
            [_] => Some(Self::Normal),
            _ => None,
        }
    }
}

/// Headers, either as the caller has them or as they stand in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Headers<'a> {
    /// Name and value pairs: names of 1 to 64 bytes, values up to 1,024, at most 32 of them.
    Pairs(&'a [(String, String)]),
    /// The fields part of a record, which holds them among others.
    Fields(&'a [u8]),
}

impl Default for Headers<'_> {
    fn default() -> Self {
        Self::Pairs(&[])
    }
}

/// What [`Record::head`] reads: bytes of text, as they stand there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head<'a> {
    /// The event's id.
    pub id: &'a [u8],
    /// Its name.
    pub name: &'a [u8],
    /// Wall time of trigger(), in microseconds.
    pub triggered_at: u64,
    /// Events of one key run in order.
    pub key: Option<&'a [u8]>,
}

/// Why bytes are no record.
#[derive(Debug, thiserror::Error, PartialEq, Eq, Clone, Copy)]
pub enum RecordError {
    /// It ends before it should, or goes on after.
    #[error("the record's lengths do not add up")]
    Length,
    /// A version that this broker does not know.
    #[error("record version {0}: this broker reads version {VERSION}")]
    Version(u8),
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The id is not one.
    #[error("the id is not 1 to {MAX_ID} bytes of A-Z, a-z, 0-9 and ._:-")]
    Id,
    /// A field's text is not UTF-8 or too long.
    #[error("field {0} is not valid")]
    Field(u8),
    /// The params are not a JSON object or array.
    #[error("the params are not a JSON object or array")]
    Params,
}

impl From<Short> for RecordError {
    fn from(_: Short) -> Self {
        Self::Length
    }
}

/// Whether `id` may be an event's id: 1 to 64 bytes of `A-Z a-z 0-9 . _ : -`.
#[must_use]
pub fn is_valid_id(id: &[u8]) -> bool {
    (1..=MAX_ID).contains(&id.len())
        && id.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b':' | b'-'))
}

impl<'a> Record<'a> {
    /// Appends the record to `out`. The caller has checked lengths: an over-long text would be cut short in its length byte.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.reserve(self.id.len() + self.name.len() + self.params.len() + 32);
        out.push(VERSION);
        short(out, self.id);
        short(out, self.name);
        out.extend_from_slice(&self.triggered_at.to_le_bytes());
        let numbers =
            [(tag::AT, self.at), (tag::DELAY, self.delay), (tag::EXPIRES, self.expires), (tag::UNIQUE_FOR, self.unique_for)];
        for (tag, number) in numbers {
            if let Some(number) = number {
                field(out, tag, &[&number.to_le_bytes()]);
            }
        }
        for (tag, text) in [(tag::QUEUE, self.queue), (tag::KEY, self.key), (tag::UNIQUE, self.unique)] {
            if let Some(text) = text {
                field(out, tag, &[text.as_bytes()]);
            }
        }
        if self.priority != Priority::Normal {
            field(out, tag::PRIORITY, &[&[self.priority as u8]]);
        }
        for (name, value) in self.headers.iter() {
            field(out, tag::HEADER, &[&[name.len() as u8], name.as_bytes(), value.as_bytes()]);
        }
        out.push(tag::END);
        out.extend_from_slice(&(self.params.len() as u32).to_le_bytes());
        out.extend_from_slice(self.params);
        out.push(0);
    }

    /// Reads a record and checks everything but the inside of the JSON.
    ///
    /// # Errors
    /// Tells what is wrong with the bytes.
    pub fn decode(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let mut rest = Cursor(bytes);
        let version = rest.u8()?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let id = rest.bytes8()?;
        if !is_valid_id(id) {
            return Err(RecordError::Id);
        }
        let mut record = Self {
            id: std::str::from_utf8(id).map_err(|_| RecordError::Id)?,
            name: name::check_name(rest.bytes8()?)?,
            triggered_at: rest.u64()?,
            ..Self::default()
        };
        let fields = rest.0;
        loop {
            let tag = rest.u8()?;
            if tag == tag::END {
                break;
            }
            let length = rest.u16()?;
            record.field(tag, rest.take(usize::from(length))?)?;
        }
        record.headers = Headers::Fields(&fields[..fields.len() - rest.0.len()]);
        let length = rest.u32()? as usize;
        record.params = rest.take(length)?;
        if rest.0 != [0] {
            return Err(RecordError::Length);
        }
        match (record.params.first(), record.params.last()) {
            (Some(b'{'), Some(b'}')) | (Some(b'['), Some(b']')) if length >= 2 => Ok(record),
            _ => Err(RecordError::Params),
        }
    }

    /// Reads the little of a record that its order by key goes by, and checks nothing: of a record that was decoded once. None: it is none.
    #[must_use]
    pub fn head(bytes: &'a [u8]) -> Option<Head<'a>> {
        let mut rest = Cursor(bytes.get(1..)?);
        let mut head = Head { id: rest.bytes8().ok()?, name: rest.bytes8().ok()?, triggered_at: rest.u64().ok()?, key: None };
        loop {
            let tag = rest.u8().ok()?;
            if tag == tag::END {
                return Some(head);
            }
            let length = rest.u16().ok()?;
            let value = rest.take(usize::from(length)).ok()?;
            if tag == tag::KEY {
                head.key = Some(value);
            }
        }
    }

    /// The wall time of trigger() in a record, which is not looked at beyond that.
    #[must_use]
    pub fn triggered_at(bytes: &[u8]) -> Option<u64> {
        let name = 2 + usize::from(*bytes.get(1)?);
        let at = name + 1 + usize::from(*bytes.get(name)?);
        bytes.get(at..at + 8)?.try_into().ok().map(u64::from_le_bytes)
    }

    fn field(&mut self, tag: u8, value: &'a [u8]) -> Result<(), RecordError> {
        let text = |limit: usize| match std::str::from_utf8(value) {
            Ok(text) if (1..=limit).contains(&text.len()) => Ok(Some(text)),
            _ => Err(RecordError::Field(tag)),
        };
        let number = || value.try_into().map(|bytes| Some(u64::from_le_bytes(bytes))).map_err(|_| RecordError::Field(tag));
        match tag {
            tag::AT => self.at = number()?,
            tag::DELAY => self.delay = number()?,
            tag::EXPIRES => self.expires = number()?,
            tag::UNIQUE_FOR => self.unique_for = number()?,
            // One that a later version may write counts as none.
            tag::PRIORITY => self.priority = Priority::read(value).ok_or(RecordError::Field(tag))?,
            tag::QUEUE => self.queue = text(64)?,
            tag::KEY => self.key = text(255)?,
            tag::UNIQUE => self.unique = text(255)?,
            tag::HEADER => drop(header(value).ok_or(RecordError::Field(tag))?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Headers<'a> {
    /// Name and value of each header.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, &'a str)> + use<'a> {
        let (pairs, mut fields) = match *self {
            Self::Pairs(pairs) => (pairs, Cursor(&[])),
            Self::Fields(fields) => (&[][..], Cursor(fields)),
        };
        let from_fields = std::iter::from_fn(move || {
            loop {
                let tag = fields.u8().ok().filter(|tag| *tag != tag::END)?;
                let length = fields.u16().ok()?;
                let value = fields.take(usize::from(length)).ok()?;
                if tag == tag::HEADER {
                    return header(value);
                }
            }
        });
        pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).chain(from_fields)
    }
}

fn header(value: &[u8]) -> Option<(&str, &str)> {
    let (length, rest) = value.split_first()?;
    let (name, value) = rest.split_at_checked(usize::from(*length))?;
    if name.is_empty() {
        return None;
    }
    Some((std::str::from_utf8(name).ok()?, std::str::from_utf8(value).ok()?))
}

fn short(out: &mut Vec<u8>, text: &str) {
    debug_assert!(text.len() <= 255);
    out.push(text.len() as u8);
    out.extend_from_slice(text.as_bytes());
}

fn field(out: &mut Vec<u8>, tag: u8, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    debug_assert!(length <= usize::from(u16::MAX));
    out.push(tag);
    out.extend_from_slice(&(length as u16).to_le_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}
