//! Defines the frame that each entry of a segment stands in, and finds frames again where some are torn or damaged.
//!
//! ```text
//! u32 length of the body | u32 tag | u32 CRC-32 of tag and body | body | zeros up to a multiple of 8
//! ```
//! Numbers are little endian. The tag is made of the segment's number and the frame's place: what a file was before it was used again for this
//! segment, or what was torn out of its place, is no frame here.

use super::disk::DiskFile;
use crate::clock::mix;
use bytes::Bytes;
use std::io::Result;

/// Bytes before a body.
pub(super) const HEADER: usize = 12;
/// The largest body: what [`super::large`] has in one entry, and the largest event with its history beside it, make less.
pub(super) const MAX_BODY: usize = 128 << 20;
/// Frames begin at multiples of it.
pub(super) const ALIGN: usize = 8;
/// How much is read at once.
const CHUNK: usize = 256 * 1024;

fn tag(segment: u64, offset: u64) -> u32 {
    // Never 0: zeros are no frame.
    mix(mix(segment) ^ offset) as u32 | 1
}

fn checksum(tag: u32, body: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&tag.to_le_bytes());
    hasher.update(body);
    hasher.finalize()
}

/// The bytes that a body takes with its frame.
pub(super) const fn framed(body: usize) -> usize {
    (HEADER + body).next_multiple_of(ALIGN)
}

/// Appends a body in its frame, which will stand at `offset` of `segment`.
pub(super) fn push(out: &mut Vec<u8>, body: &[u8], segment: u64, offset: u64) {
    let tag = tag(segment, offset);
    out.reserve(framed(body.len()));
    out.extend_from_slice(&(body.len() as u32).to_le_bytes());
    out.extend_from_slice(&tag.to_le_bytes());
    out.extend_from_slice(&checksum(tag, body).to_le_bytes());
    out.extend_from_slice(body);
    out.resize(out.len() + framed(body.len()) - HEADER - body.len(), 0);
}

/// What stands at a place of a segment.
pub(super) enum Found {
    /// A whole frame.
    Frame {
        /// Where it begins.
        offset: u64,
        /// Its body.
        body: Bytes,
    },
    /// Bytes that were a frame or several, and are none now.
    Damaged {
        /// Where they begin.
        from: u64,
        /// Where they end.
        to: u64,
    },
}

/// Reads a segment's frames one after the other.
pub(super) struct Reader<'a> {
    file: &'a dyn DiskFile,
    segment: u64,
    /// Where the next frame begins.
    pub position: u64,
    end: u64,
    /// The last frame ends there; else it may end before.
    is_end_known: bool,
    chunk: Bytes,
    chunk_at: u64,
}

impl<'a> Reader<'a> {
    /// From `position` on, up to `end`, where the last frame ends.
    pub fn new(file: &'a dyn DiskFile, segment: u64, position: u64, end: u64) -> Self {
        Self { is_end_known: true, ..Self::of_all(file, segment, position, end) }
    }

    /// From `position` on. The last frame ends before `end`, or there.
    pub fn of_all(file: &'a dyn DiskFile, segment: u64, position: u64, end: u64) -> Self {
        Self { file, segment, position, end, is_end_known: false, chunk: Bytes::new(), chunk_at: 0 }
    }

    /// The next frame, or what is left of one; none at the end. A frame whose header is there and whose body is not is damaged also at the end.
    pub fn next(&mut self) -> Result<Option<Found>> {
        let from = self.position;
        if let Some(found) = self.frame()? {
            return Ok(Some(found));
        }
        if from >= self.end {
            return Ok(None);
        }
        // Behind what is ours there may be anything: what the file was before.
        let mut ours = self.ours(from)?;
        while self.position + HEADER as u64 <= self.end {
            self.position += ALIGN as u64;
            let after = self.position;
            let Some(end) = self.ours(after)? else { continue };
            if self.frame()?.is_some() {
                self.position = after;
                return Ok(Some(Found::Damaged { from, to: after }));
            }
            ours = ours.max(Some(end));
        }
        self.position = self.end;
        if self.is_end_known {
            return Ok(Some(Found::Damaged { from, to: self.end }));
        }
        Ok(ours.map(|to| Found::Damaged { from, to }))
    }

    /// Where a frame ends whose header is at a place, whatever became of its body.
    fn ours(&mut self, offset: u64) -> Result<Option<u64>> {
        let header = self.header(offset)?.filter(|(_, found)| *found == tag(self.segment, offset));
        Ok(header.map(|(length, _)| (offset + framed(length.min(MAX_BODY)) as u64).min(self.end)))
    }

    /// The frame at the position, if it is whole; goes on behind it.
    fn frame(&mut self) -> Result<Option<Found>> {
        let offset = self.position;
        let Some((length, _)) = self.header(offset)? else { return Ok(None) };
        let whole = framed(length) as u64;
        if length == 0 || length > MAX_BODY || whole > self.end.saturating_sub(offset) {
            return Ok(None);
        }
        let Some(frame) = self.bytes(offset, HEADER + length)? else { return Ok(None) };
        let body = frame.slice(HEADER..);
        // The tag in it need not be whole: the checksum is of what it must be.
        if frame[8..HEADER] != checksum(tag(self.segment, offset), &body).to_le_bytes() {
            return Ok(None);
        }
        self.position = offset + whole;
        Ok(Some(Found::Frame { offset, body }))
    }

    /// Length and tag at a place; none at the end.
    fn header(&mut self, offset: u64) -> Result<Option<(usize, u32)>> {
        let Some(header) = self.bytes(offset, HEADER)? else { return Ok(None) };
        let word = |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        Ok(Some((word(0) as usize, word(4))))
    }

    fn bytes(&mut self, offset: u64, length: usize) -> Result<Option<Bytes>> {
        if offset + length as u64 > self.end {
            return Ok(None);
        }
        let have = self.chunk_at..self.chunk_at + self.chunk.len() as u64;
        if !(have.contains(&offset) && offset + length as u64 <= have.end) {
            let want = (self.end - offset).min(length.max(CHUNK) as u64);
            let mut chunk = vec![0; want as usize];
            let read = self.file.read(&mut chunk, offset)?;
            chunk.truncate(read);
            (self.chunk, self.chunk_at) = (chunk.into(), offset);
        }
        let start = (offset - self.chunk_at) as usize;
        Ok((start + length <= self.chunk.len()).then(|| self.chunk.slice(start..start + length)))
    }
}

/// The whole frame's body at a place, if there is one.
pub(super) fn body_at(file: &dyn DiskFile, segment: u64, offset: u64, end: u64) -> Result<Option<Bytes>> {
    /// Most entries are shorter: one read is enough.
    const FIRST: usize = 2048;
    let mut bytes = vec![0; FIRST.min(end.saturating_sub(offset) as usize)];
    let read = file.read(&mut bytes, offset)?;
    bytes.truncate(read);
    if bytes.len() < HEADER {
        return Ok(None);
    }
    let length = u32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]) as usize;
    if framed(length) as u64 > end.saturating_sub(offset) || length > MAX_BODY {
        return Ok(None);
    }
    if HEADER + length > bytes.len() {
        let before = bytes.len();
        bytes.resize(HEADER + length, 0);
        let read = file.read(&mut bytes[before..], offset + before as u64)?;
        if read < HEADER + length - before {
            return Ok(None);
        }
    }
    let body = Bytes::from(bytes).slice(..HEADER + length);
    let whole = body[8..HEADER] == checksum(tag(segment, offset), &body[HEADER..]).to_le_bytes();
    Ok(whole.then(|| body.slice(HEADER..)))
}
