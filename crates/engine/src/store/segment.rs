//! Defines a segment: one file of the journal, and which of its deliveries are settled or in somebody's hand.
//!
//! ```text
//! u64 "PROLJRN" and the version (1) | u64 number | u64 first sequence number | u64 the store's id | u64 opening | u32 CRC-32 | zeros up to 64
//! frames
//! ```

use super::disk::DiskFile;
use bytes::{Buf, BufMut};
use std::collections::BTreeSet;
use std::io::Result;
use std::sync::Arc;

/// The version that this code writes, and the only one it reads.
pub(super) const VERSION: u8 = 1;
const MAGIC: [u8; 7] = *b"PROLJRN";
/// Where the first frame begins.
pub(super) const BEGIN: u64 = 64;
const CHECKED: usize = 40;

/// A file's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub number: u64,
    pub first: u64,
    pub store: u64,
    pub opening: u16,
}

/// What a file begins with.
pub(super) enum Begins {
    With(Header),
    /// A version that this code does not know.
    Version(u8),
    /// Nothing that is a header.
    Otherwise,
}

impl Header {
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(BEGIN as usize);
        out.extend_from_slice(&MAGIC);
        out.push(VERSION);
        out.put_u64_le(self.number);
        out.put_u64_le(self.first);
        out.put_u64_le(self.store);
        out.put_u64_le(u64::from(self.opening));
        out.put_u32_le(crc32fast::hash(&out));
        out.resize(BEGIN as usize, 0);
        out
    }

    pub fn read(file: &dyn DiskFile) -> Result<Begins> {
        let mut bytes = [0; BEGIN as usize];
        if file.read(&mut bytes, 0)? < bytes.len() || bytes[..7] != MAGIC {
            return Ok(Begins::Otherwise);
        }
        let checksum = crc32fast::hash(&bytes[..CHECKED]);
        let (version, mut fields) = (bytes[7], &bytes[8..]);
        let header = Self {
            number: fields.get_u64_le(),
            first: fields.get_u64_le(),
            store: fields.get_u64_le(),
            opening: fields.get_u64_le() as u16,
        };
        if fields.get_u32_le() != checksum {
            return Ok(Begins::Otherwise);
        }
        Ok(if version == VERSION { Begins::With(header) } else { Begins::Version(version) })
    }
}

/// One bit for each delivery of a segment.
#[derive(Default)]
struct Bits(Vec<u64>);

impl Bits {
    fn has(&self, place: u64) -> bool {
        self.0.get((place / 64) as usize).is_some_and(|word| word >> (place % 64) & 1 != 0)
    }

    /// Sets a bit; whether it was not set before.
    fn set(&mut self, place: u64) -> bool {
        let word = (place / 64) as usize;
        if word >= self.0.len() {
            self.0.resize(word + 1, 0);
        }
        let before = self.0[word];
        self.0[word] |= 1 << (place % 64);
        before != self.0[word]
    }

    fn clear(&mut self, place: u64) {
        if let Some(word) = self.0.get_mut((place / 64) as usize) {
            *word &= !(1 << (place % 64));
        }
    }
}

/// One file of the journal.
pub(super) struct Segment {
    pub number: u64,
    pub file: Arc<dyn DiskFile>,
    /// The sequence number that it began with, and how many there are.
    pub first: u64,
    pub count: u32,
    /// How many of them are not settled.
    pub live: u32,
    /// Bytes that it takes on the disk, and where its last frame ends.
    pub size: u64,
    pub end: u64,
    /// Bytes of its deliveries' records.
    pub bytes: u64,
    pub marks: Vec<(u64, u32)>,
    /// At most so many of what is not settled are in the line: neither parked nor dead. Known when it is full.
    pub in_line: u32,
    /// The segments that its entries settle something of.
    pub refs: BTreeSet<u64>,
    settled: Bits,
    reserved: Bits,
}

impl Segment {
    pub fn new(number: u64, file: Arc<dyn DiskFile>, first: u64, size: u64) -> Self {
        Self {
            number,
            file,
            first,
            count: 0,
            live: 0,
            size,
            end: BEGIN,
            bytes: 0,
            marks: Vec::new(),
            in_line: u32::MAX,
            refs: BTreeSet::new(),
            settled: Bits::default(),
            reserved: Bits::default(),
        }
    }

    pub fn contains(&self, sequence: u64) -> bool {
        (self.first..self.first + u64::from(self.count)).contains(&sequence)
    }

    /// One more is kept in it. What was between is nobody's: it counts as settled.
    pub fn keep(&mut self, sequence: u64) {
        let place = sequence - self.first;
        for missing in u64::from(self.count)..place {
            self.settled.set(missing);
        }
        self.count = self.count.max(place as u32 + 1);
        self.live += 1;
    }

    /// It had so many. Those at its end that are not there are nobody's.
    pub fn pass_over(&mut self, count: u32) {
        (self.count..count).for_each(|place| _ = self.settled.set(place.into()));
        self.count = self.count.max(count);
    }

    pub fn is_settled(&self, sequence: u64) -> bool {
        self.settled.has(sequence - self.first)
    }

    pub fn is_reserved(&self, sequence: u64) -> bool {
        self.reserved.has(sequence - self.first)
    }

    pub fn reserve(&mut self, sequence: u64) {
        self.reserved.set(sequence - self.first);
    }

    /// Whether it was not settled before.
    pub fn settle(&mut self, sequence: u64) -> bool {
        let place = sequence - self.first;
        self.reserved.clear(place);
        let new = place < u64::from(self.count) && self.settled.set(place);
        self.live -= u32::from(new);
        new
    }

    /// The parts of runs of sequence numbers that are of this segment.
    pub fn its_part(&self, runs: &[(u64, u32)]) -> Vec<(u64, u32)> {
        let (begin, end) = (self.first, self.first + u64::from(self.count));
        let parts = runs.iter().map(|(first, count)| ((*first).max(begin), (first + u64::from(*count)).min(end)));
        parts.filter(|(first, end)| first < end).map(|(first, end)| (first, (end - first) as u32)).collect()
    }

    /// About how many bytes of it are of what is not settled: history and all.
    pub fn live_bytes(&self) -> u64 {
        (self.end - BEGIN) * u64::from(self.live) / u64::from(self.count.max(1))
    }

    /// Bytes that a record of it has on average.
    pub fn average(&self) -> u64 {
        self.bytes / u64::from(self.count.max(1))
    }
}

/// The file of a segment.
pub(super) fn file_name(number: u64) -> String {
    format!("{number:016x}.journal")
}

/// The segment whose file has this name.
pub(super) fn number_of(name: &str) -> Option<u64> {
    let digits = name.strip_suffix(".journal")?;
    (digits.len() == 16).then(|| u64::from_str_radix(digits, 16).ok())?
}
