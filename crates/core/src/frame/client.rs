//! Defines the frames between a client and the broker.

use super::{FrameError, Session, begin, cursor::Cursor, kind, open, text};
use bytes::Bytes;

const FLAG_CONFIRM: u8 = 1;
const FLAG_SYNCED: u8 = 2;
const FLAG_SPOOLED: u8 = 4;

/// A batch of events, numbered on from `first`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publish {
    /// Whose events they are.
    pub session: Session,
    /// The number of the first.
    pub first: u64,
    /// Whether a confirmation is wanted.
    pub confirm: bool,
    /// Whether it is wanted only when the events are fsynced.
    pub synced: bool,
    /// Whether they come from a spool: none is refused for what it is, but kept as a dead letter.
    pub spooled: bool,
    /// The records, not yet looked into.
    pub records: Vec<Bytes>,
}

impl Publish {
    /// Bytes of a batch before its records.
    pub const HEADER: usize = super::HEADER + 16 + 8 + 4;

    /// Starts a batch in an empty `out`; [`Self::seal`] completes it.
    pub fn begin(out: &mut Vec<u8>) {
        begin(out, kind::PUBLISH, 0);
        out.resize(Self::HEADER, 0);
    }

    /// Appends one event to a batch that was begun, `record` writing it; gives the record's length.
    pub fn push(out: &mut Vec<u8>, record: impl FnOnce(&mut Vec<u8>)) -> usize {
        let start = out.len();
        out.extend_from_slice(&[0; 4]);
        record(out);
        let length = out.len() - start - 4;
        out[start..start + 4].copy_from_slice(&(length as u32).to_le_bytes());
        length
    }

    /// Completes a batch: whose it is, from which number on, how many.
    pub fn seal(out: &mut [u8], session: &Session, first: u64, count: u32, confirm: bool, synced: bool) {
        out[3] = u8::from(confirm) * FLAG_CONFIRM + u8::from(synced) * FLAG_SYNCED;
        out[4..20].copy_from_slice(session);
        out[20..28].copy_from_slice(&first.to_le_bytes());
        out[28..32].copy_from_slice(&count.to_le_bytes());
    }

    /// The same for events from a spool, which are to be confirmed once they are synced.
    pub fn seal_spooled(out: &mut [u8], session: &Session, first: u64, count: u32) {
        Self::seal(out, session, first, count, true, true);
        out[3] |= FLAG_SPOOLED;
    }

    /// The records of a sealed batch, for one who has to send or keep them one by one.
    pub fn records(batch: &[u8]) -> impl Iterator<Item = &[u8]> {
        let mut rest = Cursor(batch.get(Self::HEADER..).unwrap_or_default());
        std::iter::from_fn(move || rest.bytes32().ok())
    }
}

/// What a client sends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClientFrame {
    /// A batch of events.
    Publish(Publish),
}

impl ClientFrame {
    /// Reads a client's frame. The records are slices of `bytes`: nothing is copied.
    ///
    /// # Errors
    /// Tells what is wrong with the frame as a whole; records are judged one by one, later.
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let (kind, flags, mut body) = open(bytes)?;
        if kind != kind::PUBLISH {
            return Err(FrameError::Kind(kind));
        }
        let session = body.array()?;
        let first = body.u64()?;
        let count = body.u32()? as usize;
        // Each record has a length before it: a count beyond what is there is a lie, and no reason to allocate.
        if count == 0 || count > body.0.len() / 4 || first.checked_add(count as u64).is_none() {
            return Err(FrameError::Body(format!("a batch of {count} events from number {first}")));
        }
        let mut records = Vec::with_capacity(count);
        for _ in 0..count {
            records.push(bytes.slice_ref(body.bytes32()?));
        }
        body.end()?;
        Ok(Self::Publish(Publish {
            session,
            first,
            confirm: flags & FLAG_CONFIRM != 0,
            synced: flags & FLAG_SYNCED != 0,
            spooled: flags & FLAG_SPOOLED != 0,
            records,
        }))
    }
}

/// Why an event was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum RejectCode {
    /// It is malformed.
    Malformed = 1,
    /// It is larger than the broker takes.
    TooLarge = 2,
    /// Too much is waiting, or the store takes nothing more.
    Overloaded = 3,
    /// One with its unique key waits or runs; the reason is that event's id.
    Unique = 4,
}

/// What differs for one event of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The event's number.
    pub number: u64,
    /// Why it was refused.
    pub code: RejectCode,
    /// The same in words.
    pub reason: String,
}

/// Tells that the events `first .. first + count` are kept, but for the exceptions.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Confirmation {
    /// Whose events they are.
    pub session: Session,
    /// The number of the first.
    pub first: u64,
    /// How many.
    pub count: u32,
    /// Those that were refused.
    pub exceptions: Vec<Exception>,
}

/// The broker's greeting to each connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Welcome {
    /// Another number for each broker process.
    pub epoch: u64,
    /// The largest record that the broker takes, in bytes.
    pub max_message: u32,
}

impl Confirmation {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(out, kind::CONFIRM, 0);
        out.extend_from_slice(&self.session);
        out.extend_from_slice(&self.first.to_le_bytes());
        out.extend_from_slice(&self.count.to_le_bytes());
        out.extend_from_slice(&(self.exceptions.len() as u32).to_le_bytes());
        for exception in &self.exceptions {
            out.extend_from_slice(&exception.number.to_le_bytes());
            out.push(exception.code as u8);
            let reason = &exception.reason.as_bytes()[..exception.reason.len().min(1024)];
            out.extend_from_slice(&(reason.len() as u16).to_le_bytes());
            out.extend_from_slice(reason);
        }
    }
}

impl Welcome {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        begin(out, kind::WELCOME, 0);
        out.extend_from_slice(&self.epoch.to_le_bytes());
        out.extend_from_slice(&self.max_message.to_le_bytes());
    }
}

/// What the broker sends to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToClient {
    /// Events are kept.
    Confirm(Confirmation),
    /// A greeting.
    Welcome(Welcome),
    /// A whole frame could not be read; why.
    Refused(String),
}

impl ToClient {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Confirm(confirmation) => confirmation.encode(out),
            Self::Welcome(welcome) => welcome.encode(out),
            Self::Refused(reason) => {
                begin(out, kind::REFUSED, 0);
                out.extend_from_slice(reason.as_bytes());
            }
        }
    }

    /// Reads a frame from the broker.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, FrameError> {
        let (kind, _, mut body) = open(bytes)?;
        match kind {
            kind::CONFIRM => {
                let mut confirmation =
                    Confirmation { session: body.array()?, first: body.u64()?, count: body.u32()?, exceptions: Vec::new() };
                for _ in 0..body.u32()? {
                    confirmation.exceptions.push(Exception {
                        number: body.u64()?,
                        code: match body.u8()? {
                            1 => RejectCode::Malformed,
                            2 => RejectCode::TooLarge,
                            4 => RejectCode::Unique,
                            _ => RejectCode::Overloaded,
                        },
                        reason: String::from_utf8_lossy(body.bytes16()?).into_owned(),
                    });
                }
                body.end()?;
                Ok(Self::Confirm(confirmation))
            }
            kind::WELCOME => Ok(Self::Welcome(Welcome { epoch: body.u64()?, max_message: body.u32()? })),
            kind::REFUSED => Ok(Self::Refused(text(body.0)?.to_owned())),
            other => Err(FrameError::Kind(other)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_batch_comes_out_as_it_went_in() {
        let mut out = Vec::new();
        Publish::begin(&mut out);
        Publish::push(&mut out, |out| out.extend_from_slice(b"one"));
        Publish::push(&mut out, |out| out.extend_from_slice(b"three"));
        Publish::seal(&mut out, &[7; 16], 41, 2, true, false);
        assert_eq!(Publish::records(&out).collect::<Vec<_>>(), [&b"one"[..], b"three"]);
        let ClientFrame::Publish(batch) = ClientFrame::decode(&out.clone().into()).unwrap();
        assert_eq!((batch.session, batch.first, batch.confirm, batch.synced), ([7; 16], 41, true, false));
        assert_eq!(batch.records, [&b"one"[..], b"three"]);
        for cut in 0..out.len() {
            assert!(ClientFrame::decode(&Bytes::copy_from_slice(&out[..cut])).is_err(), "cut at {cut}");
        }
    }

    #[test]
    fn what_the_broker_says_comes_out_as_it_went_in() {
        let exception = Exception { number: 9, code: RejectCode::TooLarge, reason: "too large".into() };
        for frame in [
            ToClient::Confirm(Confirmation { session: [1; 16], first: 8, count: 3, exceptions: vec![exception] }),
            ToClient::Welcome(Welcome { epoch: 3, max_message: 1 << 20 }),
            ToClient::Refused("why".into()),
        ] {
            let mut out = Vec::new();
            frame.encode(&mut out);
            assert_eq!(ToClient::decode(&out), Ok(frame));
        }
    }
}
