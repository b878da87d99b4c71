//! Defines the wire: the frames that clients, broker and workers exchange. `docs/protocol.md` is the specification.
//!
//! Each frame is one message part: `P`, version, kind, flags, body. Numbers are little endian.

mod client;
pub(crate) mod cursor;
mod worker;

pub use client::{ClientFrame, Confirmation, Exception, Publish, RejectCode, ToClient, Welcome};
pub use worker::{
    BrokerFrame, Chunk, ChunkDelivery, ChunkWriter, FailedListener, Held, Hello, Ready, Report, WHOLE_DELIVERY, WorkerFrame,
};

use cursor::Cursor;

/// First byte of each frame.
pub const MAGIC: u8 = b'P';
/// The version that this code writes. One minor version back and forth is understood; there is only one so far.
pub const VERSION: u8 = 1;
/// Bytes before the body.
pub const HEADER: usize = 4;

/// A client process's session: its events are numbered within it.
pub type Session = [u8; 16];

/// Kinds of frame, as numbered on the wire.
pub(crate) mod kind {
    pub const PUBLISH: u8 = 0x01;
    pub const CONFIRM: u8 = 0x02;
    pub const WELCOME: u8 = 0x03;
    pub const REFUSED: u8 = 0x04;
    pub const READY: u8 = 0x11;
    pub const REPORT: u8 = 0x12;
    pub const LEAVING: u8 = 0x13;
    pub const HEARTBEAT: u8 = 0x14;
    pub const REVOKED: u8 = 0x15;
    pub const CHUNK: u8 = 0x21;
    pub const SETTLED: u8 = 0x22;
    pub const ENQUIRE: u8 = 0x23;
    pub const REVOKE: u8 = 0x24;
}

/// Why bytes are no frame.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FrameError {
    /// It ends before it should, or goes on after.
    #[error("the frame's lengths do not add up")]
    Length,
    /// Not one of our frames at all.
    #[error("not a Proletarier frame")]
    Foreign,
    /// A version that this side does not know.
    #[error("protocol version {0}: this side speaks version {VERSION}")]
    Version(u8),
    /// A kind that has no business on this socket.
    #[error("unexpected frame kind {0:#04x}")]
    Kind(u8),
    /// A part that is not what it should be.
    #[error("{0}")]
    Body(String),
}

/// Starts a frame in `out`.
fn begin(out: &mut Vec<u8>, kind: u8, flags: u8) {
    out.extend_from_slice(&[MAGIC, VERSION, kind, flags]);
}

/// Splits a frame into kind, flags and body.
fn open(bytes: &[u8]) -> Result<(u8, u8, Cursor<'_>), FrameError> {
    match bytes {
        [MAGIC, VERSION, kind, flags, body @ ..] => Ok((*kind, *flags, Cursor(body))),
        [MAGIC, version, _, _, ..] => Err(FrameError::Version(*version)),
        _ => Err(FrameError::Foreign),
    }
}

impl From<cursor::Short> for FrameError {
    fn from(_: cursor::Short) -> Self {
        Self::Length
    }
}

fn text(bytes: &[u8]) -> Result<&str, FrameError> {
    std::str::from_utf8(bytes).map_err(|_| FrameError::Body("text is not UTF-8".into()))
}
