//! Defines the bytes of a spool file, and reads them, past what is torn or flipped.
//!
//! ```text
//! file:    8 bytes "PRLSPOOL", u32 version, u32 crc32 of these 12 bytes, events
//! event:   u32 magic, u32 length of the body, u32 crc32 of length and body, body
//! body:    16 bytes session, u64 number, u64 wall time of spooling in microseconds, record
//! ```
//! Numbers are little endian. The magic has bytes that no text in UTF-8 has: what is in an event's params is never taken for one.
//!
//! A writer may be killed in the middle of an event, and others append behind it. So an event that can't be read ends nothing: reading goes on at the
//! next place that is one, and what lies between is told of as damaged.

use bytes::Bytes;
use crc32fast::Hasher;
use proletarier_core::frame::Session;

/// The version that is written, and the only one that is read.
pub const VERSION: u32 = 1;
/// Bytes of a file before its first event.
pub const HEADER: usize = 16;
const NAME: &[u8; 8] = b"PRLSPOOL";
/// The last byte is the version's.
const MAGIC: [u8; 4] = [0xff, 0x50, 0xfe, 0x01];
/// Bytes of an event before its body.
const FRAME: usize = 12;
/// Bytes of a body before its record.
const OWN: usize = 32;
/// Bytes of a file up to what its first event is about: no other file has the same.
pub const BEGINNING: usize = HEADER + FRAME + OWN;
/// The largest body: params of 64 MiB at most, and 1 MiB for what else a record has.
pub const MAX_BODY: usize = (65 << 20) + OWN;

/// An event that waited in a spool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Spooled {
    /// The session that triggered it.
    pub session: Session,
    /// Its number there.
    pub number: u64,
    /// When it was spooled: wall time, microseconds.
    pub spooled_at: u64,
    /// The event.
    pub record: Bytes,
}

/// A file's header.
pub fn header() -> [u8; HEADER] {
    let mut header = [0; HEADER];
    header[..8].copy_from_slice(NAME);
    header[8..12].copy_from_slice(&VERSION.to_le_bytes());
    let crc = crc32fast::hash(&header[..12]);
    header[12..].copy_from_slice(&crc.to_le_bytes());
    header
}

/// What a file's first bytes are.
#[derive(Debug, PartialEq, Eq)]
pub enum Header {
    /// This version's.
    Known,
    /// A version's that this code does not know.
    Version(u32),
    /// Not a header, or not any more.
    Damaged,
}

impl Header {
    /// Reads the first bytes of a file.
    pub fn read(bytes: &[u8]) -> Self {
        let Some((plain, crc)) = bytes.get(..HEADER).map(|header| header.split_at(12)) else { return Self::Damaged };
        if &plain[..8] != NAME || crc != crc32fast::hash(plain).to_le_bytes() {
            return Self::Damaged;
        }
        match number32(plain, 8) {
            VERSION => Self::Known,
            version => Self::Version(version),
        }
    }
}

/// Appends an event's bytes to `out`.
pub fn encode(out: &mut Vec<u8>, session: &Session, number: u64, spooled_at: u64, record: &[u8]) {
    let length = ((OWN + record.len()) as u32).to_le_bytes();
    out.reserve(FRAME + OWN + record.len());
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&length);
    let crc_at = out.len();
    out.extend_from_slice(&[0; 4]);
    out.extend_from_slice(session);
    out.extend_from_slice(&number.to_le_bytes());
    out.extend_from_slice(&spooled_at.to_le_bytes());
    out.extend_from_slice(record);
    let crc = crc(length, &out[crc_at + 4..]);
    out[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
}

fn crc(length: [u8; 4], body: &[u8]) -> u32 {
    let mut hasher = Hasher::new();
    hasher.update(&length);
    hasher.update(body);
    hasher.finalize()
}

fn number32(bytes: &[u8], at: usize) -> u32 {
    bytes.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map_or(0, u32::from_le_bytes)
}

fn number64(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..at + 8).and_then(|bytes| bytes.try_into().ok()).map_or(0, u64::from_le_bytes)
}

/// What is found at a place of a file.
#[derive(Debug, PartialEq, Eq)]
pub enum Found {
    /// An event, and how many bytes it has there.
    Event(Spooled, usize),
    /// What may be one, of so many bytes, more than are at hand.
    Longer(usize),
    /// No event.
    Nothing,
}

/// Looks at the start of `bytes`, which are at hand; `left` bytes are to the file's end.
pub fn look(bytes: &[u8], left: u64) -> Found {
    if bytes.len() < FRAME {
        let may_begin = MAGIC.starts_with(&bytes[..bytes.len().min(4)]) || bytes.starts_with(&MAGIC);
        return if may_begin && left >= (FRAME + OWN) as u64 { Found::Longer(FRAME + OWN) } else { Found::Nothing };
    }
    let length = number32(bytes, 4) as usize;
    let whole = FRAME + length;
    if bytes[..4] != MAGIC || !(OWN..=MAX_BODY).contains(&length) || whole as u64 > left {
        return Found::Nothing;
    }
    let Some(body) = bytes.get(FRAME..whole) else { return Found::Longer(whole) };
    if crc((length as u32).to_le_bytes(), body) != number32(bytes, 8) {
        return Found::Nothing;
    }
    let (mut session, number, spooled_at) = ([0; 16], number64(body, 16), number64(body, 24));
    session.copy_from_slice(&body[..16]);
    Found::Event(Spooled { session, number, spooled_at, record: Bytes::copy_from_slice(&body[OWN..]) }, whole)
}

/// Where in `bytes` the next event may begin, from `from` on: its magic, or the start of one at the end. None: not in these.
pub fn next_candidate(bytes: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    while let Some(found) = bytes.get(at..)?.iter().position(|byte| *byte == MAGIC[0]) {
        at += found;
        if MAGIC.starts_with(&bytes[at..bytes.len().min(at + 4)]) {
            return Some(at);
        }
        at += 1;
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(record: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, &[7; 16], 3, 99, record);
        out
    }

    #[test]
    fn an_event_comes_out_as_it_went_in_and_no_flipped_bit_passes() {
        let bytes = event(b"a record");
        let spooled = Spooled { session: [7; 16], number: 3, spooled_at: 99, record: Bytes::from_static(b"a record") };
        assert_eq!(look(&bytes, bytes.len() as u64), Found::Event(spooled, bytes.len()));
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let found = look(&flipped, flipped.len() as u64);
            assert!(!matches!(found, Found::Event(..)), "bit {bit}");
        }
        for cut in 0..bytes.len() {
            assert_eq!(look(&bytes[..cut], cut as u64), Found::Nothing, "cut at {cut}");
            assert!(!matches!(look(&bytes[..cut], bytes.len() as u64), Found::Event(..)));
        }
    }

    #[test]
    fn headers_tell_their_version() {
        let mut known = header();
        assert_eq!(Header::read(&known), Header::Known);
        known[8] = 9;
        assert_eq!(Header::read(&known), Header::Damaged, "a flipped bit is no version");
        let crc = crc32fast::hash(&known[..12]).to_le_bytes();
        known[12..].copy_from_slice(&crc);
        assert_eq!(Header::read(&known), Header::Version(9));
        assert_eq!(Header::read(b"PRL"), Header::Damaged);
    }

    #[test]
    fn candidates_are_found_also_across_an_edge() {
        let mut bytes = b"\xff\xff\x50 {}".to_vec();
        let at = bytes.len();
        bytes.extend_from_slice(&event(b"x"));
        assert_eq!(next_candidate(&bytes, 0), Some(at));
        assert_eq!(next_candidate(&bytes[..at + 2], 0), Some(at));
        assert_eq!(next_candidate(&bytes[..at], 0), None);
    }
}
