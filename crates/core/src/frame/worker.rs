//! Defines the frames between a worker and the broker.

use super::{FrameError, begin, cursor::Cursor, kind, open, text};
use crate::failure::Failure;
use crate::listener::{ListenerIndex, ListenerSpec};
use crate::queue::Remains;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// Stands for a listener's index where a delivery failed as a whole, such as for params that are not JSON.
pub const WHOLE_DELIVERY: ListenerIndex = ListenerIndex::MAX;

const FLAG_CLOSED: u8 = 1;
const FLAG_ONLY: u8 = 1;
/// Where a chunk's frame has the count of its deliveries: behind the header, epoch, number and settled.
const COUNT: usize = super::HEADER + 8 + 4 + 4;

/// Who a worker is.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    /// Its place in the scoreboard.
    pub slot: u32,
    /// How many workers had the place before it.
    pub incarnation: u32,
    /// The generation of code it runs.
    pub generation: u32,
    /// Its process id.
    pub pid: u32,
    /// The broker that it answers: one that came meanwhile has asked for itself.
    #[serde(default)]
    pub epoch: u64,
    /// The number of the last chunk that it had, 0 for none: a broker numbers on from there.
    #[serde(default)]
    pub last_chunk: u32,
    /// Whether it has no memory in common with the broker.
    #[serde(default)]
    pub remote: bool,
    /// Its listeners.
    pub listeners: Vec<ListenerSpec>,
    /// Remote only: how the worker that had the place before it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub predecessor: Option<Remains>,
}

/// A chunk that a worker has and whose outcomes no broker has confirmed, with its outcomes so far.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The chunk's frame as it came.
    pub frame: Bytes,
    /// How many of its deliveries are finished, from the front.
    pub finished: u16,
    /// How many are claimed, from the front.
    pub claimed: u16,
    /// How many are the worker's at all, from the front; the rest was taken back.
    pub limit: u16,
    /// What failed among the finished.
    pub failures: Vec<FailedListener>,
}

/// A worker's introduction, to each broker that it meets.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ready {
    /// Who it is.
    pub hello: Hello,
    /// What it holds from a broker before.
    pub held: Vec<Held>,
}

/// A listener that failed in a delivery.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailedListener {
    /// The delivery's place in its chunk.
    pub delivery: u16,
    /// The listener's place in the worker's table, or [`WHOLE_DELIVERY`].
    pub listener: ListenerIndex,
    /// Why.
    pub failure: Failure,
}

/// How far a worker is with a chunk. Each report tells all of it: a lost one costs nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Which chunk.
    pub chunk: u32,
    /// How many deliveries are finished, from the front.
    pub finished: u16,
    /// Whether the worker has done with the chunk: what is not finished was not claimed.
    pub closed: bool,
    /// How long the finished ones took, in microseconds.
    pub micros: u32,
    /// What failed among the finished.
    pub failures: Vec<FailedListener>,
}

/// What a worker sends.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "each is made, read and gone at once; a box would be one more allocation")]
pub enum WorkerFrame {
    /// Its introduction.
    Ready(Ready),
    /// Outcomes.
    Report(Report),
    /// It takes nothing more, and ends when what it reported is settled.
    Leaving,
    /// Remote only: it lives.
    Heartbeat,
    /// Remote only: it will claim nothing of `chunk` from `limit` on.
    Revoked {
        /// Which chunk.
        chunk: u32,
        /// How many deliveries it keeps, from the front.
        limit: u16,
    },
}

impl WorkerFrame {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Ready(ready) => {
                begin(out, kind::READY, 0);
                bytes32(out, &json(&ready.hello));
                for held in &ready.held {
                    for number in [held.finished, held.claimed, held.limit] {
                        out.extend_from_slice(&number.to_le_bytes());
                    }
                    bytes32(out, &json(&held.failures));
                    bytes32(out, &held.frame);
                }
            }
            Self::Report(report) => {
                begin(out, kind::REPORT, u8::from(report.closed) * FLAG_CLOSED);
                out.extend_from_slice(&report.chunk.to_le_bytes());
                out.extend_from_slice(&report.finished.to_le_bytes());
                out.extend_from_slice(&report.micros.to_le_bytes());
                if !report.failures.is_empty() {
                    out.extend_from_slice(&json(&report.failures));
                }
            }
            Self::Leaving => begin(out, kind::LEAVING, 0),
            Self::Heartbeat => begin(out, kind::HEARTBEAT, 0),
            Self::Revoked { chunk, limit } => {
                begin(out, kind::REVOKED, 0);
                out.extend_from_slice(&chunk.to_le_bytes());
                out.extend_from_slice(&limit.to_le_bytes());
            }
        }
    }

    /// Reads a worker's frame.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let (kind, flags, mut body) = open(bytes)?;
        Ok(match kind {
            kind::READY => {
                let hello = from_json(body.bytes32()?)?;
                let mut held = Vec::new();
                while !body.0.is_empty() {
                    held.push(Held {
                        finished: body.u16()?,
                        claimed: body.u16()?,
                        limit: body.u16()?,
                        failures: from_json(body.bytes32()?)?,
                        frame: bytes.slice_ref(body.bytes32()?),
                    });
                }
                Self::Ready(Ready { hello, held })
            }
            kind::REPORT => Self::Report(Report {
                chunk: body.u32()?,
                finished: body.u16()?,
                closed: flags & FLAG_CLOSED != 0,
                micros: body.u32()?,
                failures: if body.0.is_empty() { Vec::new() } else { from_json(body.0)? },
            }),
            kind::LEAVING => body.end().map(|()| Self::Leaving)?,
            kind::HEARTBEAT => body.end().map(|()| Self::Heartbeat)?,
            kind::REVOKED => {
                let revoked = Self::Revoked { chunk: body.u32()?, limit: body.u16()? };
                body.end()?;
                revoked
            }
            other => return Err(FrameError::Kind(other)),
        })
    }
}

/// A delivery as it travels to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkDelivery {
    /// Names this hand-out of the delivery.
    pub token: u64,
    /// Which attempt it is, from 1.
    pub attempt: u16,
    /// Identities of the listeners it is for; none: all that take the event.
    pub only: Option<Vec<String>>,
    /// The event's record.
    pub record: Bytes,
}

/// Deliveries for one worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The broker that sent it: a worker drops what an earlier one had sent.
    pub epoch: u64,
    /// Its number: one more than the chunk before it, for the same worker.
    pub number: u32,
    /// All reports on chunks up to this one are settled.
    pub settled: u32,
    /// What there is to do.
    pub deliveries: Vec<ChunkDelivery>,
}

/// Writes a chunk's frame, delivery by delivery.
pub struct ChunkWriter<'a> {
    out: &'a mut Vec<u8>,
    count: u16,
}

impl<'a> ChunkWriter<'a> {
    /// Starts a chunk in an empty `out`.
    pub fn begin(out: &'a mut Vec<u8>, epoch: u64, number: u32, settled: u32) -> Self {
        begin(out, kind::CHUNK, 0);
        out.extend_from_slice(&epoch.to_le_bytes());
        out.extend_from_slice(&number.to_le_bytes());
        out.extend_from_slice(&settled.to_le_bytes());
        out.extend_from_slice(&[0; 2]);
        Self { out, count: 0 }
    }

    /// Appends one delivery.
    pub fn push<'b>(&mut self, token: u64, attempt: u16, only: Option<impl ExactSizeIterator<Item = &'b str>>, record: &[u8]) {
        let out = &mut *self.out;
        out.extend_from_slice(&token.to_le_bytes());
        out.extend_from_slice(&attempt.to_le_bytes());
        match only {
            None => out.push(0),
            Some(only) => {
                out.push(FLAG_ONLY);
                out.extend_from_slice(&(only.len() as u16).to_le_bytes());
                for id in only {
                    out.extend_from_slice(&(id.len() as u16).to_le_bytes());
                    out.extend_from_slice(id.as_bytes());
                }
            }
        }
        bytes32(out, record);
        self.count += 1;
        self.out[COUNT..COUNT + 2].copy_from_slice(&self.count.to_le_bytes());
    }
}

/// What the broker sends to a worker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BrokerFrame {
    /// Work.
    Chunk(Chunk),
    /// All reports on chunks up to this one are settled.
    Settled(u32),
    /// A broker that does not know the worker asks for its introduction; the broker's epoch.
    Enquire(u64),
    /// Remote only: gives back what is not claimed of this chunk.
    Revoke(u32),
}

impl BrokerFrame {
    /// Appends the frame to `out`.
    pub fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Chunk(chunk) => {
                let mut writer = ChunkWriter::begin(out, chunk.epoch, chunk.number, chunk.settled);
                for delivery in &chunk.deliveries {
                    let only = delivery.only.as_ref().map(|only| only.iter().map(String::as_str));
                    writer.push(delivery.token, delivery.attempt, only, &delivery.record);
                }
            }
            Self::Settled(through) => {
                begin(out, kind::SETTLED, 0);
                out.extend_from_slice(&through.to_le_bytes());
            }
            Self::Enquire(epoch) => {
                begin(out, kind::ENQUIRE, 0);
                out.extend_from_slice(&epoch.to_le_bytes());
            }
            Self::Revoke(chunk) => {
                begin(out, kind::REVOKE, 0);
                out.extend_from_slice(&chunk.to_le_bytes());
            }
        }
    }

    /// Reads a frame from the broker. Records are slices of `bytes`: nothing is copied.
    ///
    /// # Errors
    /// Tells what is wrong with it.
    pub fn decode(bytes: &Bytes) -> Result<Self, FrameError> {
        let (kind, _, mut body) = open(bytes)?;
        Ok(match kind {
            kind::CHUNK => {
                let (epoch, number, settled, count) = (body.u64()?, body.u32()?, body.u32()?, body.u16()?);
                let mut deliveries = Vec::with_capacity(usize::from(count));
                for _ in 0..count {
                    let (token, attempt, flags) = (body.u64()?, body.u16()?, body.u8()?);
                    let only = if flags & FLAG_ONLY == 0 { None } else { Some(identities(&mut body)?) };
                    deliveries.push(ChunkDelivery { token, attempt, only, record: bytes.slice_ref(body.bytes32()?) });
                }
                body.end()?;
                Self::Chunk(Chunk { epoch, number, settled, deliveries })
            }
            kind::SETTLED => Self::Settled(body.u32()?),
            kind::ENQUIRE => Self::Enquire(body.u64()?),
            kind::REVOKE => Self::Revoke(body.u32()?),
            other => return Err(FrameError::Kind(other)),
        })
    }
}

fn identities(body: &mut Cursor<'_>) -> Result<Vec<String>, FrameError> {
    (0..body.u16()?).map(|_| Ok(text(body.bytes16()?)?.to_owned())).collect()
}

fn bytes32(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(&(bytes.len() as u32).to_le_bytes());
    out.extend_from_slice(bytes);
}

/// What is rare and rich in structure travels as JSON inside its frame.
fn json(value: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(value).unwrap_or_default()
}

fn from_json<'de, T: Deserialize<'de>>(bytes: &'de [u8]) -> Result<T, FrameError> {
    serde_json::from_slice(bytes).map_err(|error| FrameError::Body(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn failed() -> FailedListener {
        FailedListener { delivery: 1, listener: 2, failure: Failure::new(FailureKind::Thrown, "E", "why") }
    }

    #[test]
    fn what_a_worker_says_comes_out_as_it_went_in() {
        let held = Held { frame: Bytes::from_static(b"x"), finished: 1, claimed: 2, limit: 3, failures: vec![failed()] };
        for frame in [
            WorkerFrame::Ready(Ready { hello: Hello { slot: 3, ..Hello::default() }, held: vec![held] }),
            WorkerFrame::Report(Report { chunk: 4, finished: 5, closed: true, micros: 6, failures: vec![failed()] }),
            WorkerFrame::Report(Report::default()),
            WorkerFrame::Leaving,
            WorkerFrame::Heartbeat,
            WorkerFrame::Revoked { chunk: 4, limit: 1 },
        ] {
            let mut out = Vec::new();
            frame.encode(&mut out);
            assert_eq!(WorkerFrame::decode(&out.into()), Ok(frame));
        }
    }

    #[test]
    fn what_a_worker_is_told_comes_out_as_it_went_in() {
        let delivery = |only| ChunkDelivery { token: 9, attempt: 2, only, record: Bytes::from_static(b"record") };
        let deliveries = vec![delivery(None), delivery(Some(vec!["a".into(), "b".into()]))];
        for frame in [
            BrokerFrame::Chunk(Chunk { epoch: 1, number: 3, settled: 2, deliveries }),
            BrokerFrame::Settled(7),
            BrokerFrame::Enquire(8),
            BrokerFrame::Revoke(9),
        ] {
            let mut out = Vec::new();
            frame.encode(&mut out);
            assert_eq!(BrokerFrame::decode(&out.into()), Ok(frame));
        }
    }
}
