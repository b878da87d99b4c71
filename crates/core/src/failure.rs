//! Defines a failure: why a listener did not succeed, in words that are kept and shown.

use serde::{Deserialize, Serialize};

/// Longest message kept, in bytes (as Sidekiq keeps 10,000 characters of error text).
pub const MAX_MESSAGE: usize = 8 * 1024;
/// Longest trace kept, in bytes.
pub const MAX_TRACE: usize = 16 * 1024;

/// How a listener failed, which decides what may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum FailureKind {
    /// It threw; the attempt is spent and a retry may follow.
    Thrown = 1,
    /// It threw something Unrecoverable: no retry.
    Unrecoverable = 2,
    /// It called exit(), died of a fatal error or exhausted memory: its worker ended with it.
    Ended = 3,
    /// Its worker was killed, or vanished, while it ran.
    Killed = 4,
    /// The listener that a retry is for is no longer registered.
    ListenerGone = 5,
    /// No listener but '*' ones takes the event.
    NoListener = 6,
    /// The event could not be decoded.
    Malformed = 7,
    /// It waited in a spool for longer than copies are known as copies.
    StaleSpool = 8,
    /// It came from a spool, and is larger than the broker takes.
    TooLarge = 9,
    /// It ran for longer than its time limit.
    TimedOut = 10,
}

impl FailureKind {
    /// The kind with this number on the wire.
    #[must_use]
    pub const fn from_u8(value: u8) -> Option<Self> {
        Some(match value {
            1 => Self::Thrown,
            2 => Self::Unrecoverable,
            3 => Self::Ended,
            4 => Self::Killed,
            5 => Self::ListenerGone,
            6 => Self::NoListener,
            7 => Self::Malformed,
            8 => Self::StaleSpool,
            9 => Self::TooLarge,
            10 => Self::TimedOut,
            _ => return None,
        })
    }

    /// Whether no further attempt can help.
    #[must_use]
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Unrecoverable | Self::ListenerGone | Self::NoListener | Self::Malformed | Self::StaleSpool | Self::TooLarge
        )
    }
}

/// Why a listener did not succeed. Texts are capped by [`Failure::capped`] before they leave the worker.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// What kind of failure it is.
    pub kind: FailureKind,
    /// The class of what was thrown, or a word such as `exit` or `SIGKILL`.
    pub class: String,
    /// Its message.
    pub message: String,
    /// The file where it was thrown; empty where unknown.
    pub file: String,
    /// The line where it was thrown; 0 where unknown.
    pub line: u32,
    /// The trace, one frame a line; empty where there is none.
    pub trace: String,
    /// The wait before the next attempt that the listener asked for (`RetryAfterException`), in microseconds.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// A failure that has only a class and a message.
    #[must_use]
    pub fn new(kind: FailureKind, class: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            kind,
            class: class.into(),
            message: message.into(),
            file: String::new(),
            line: 0,
            trace: String::new(),
            retry_after: None,
        }
    }

    /// Class and message, as lists and lines show it.
    #[must_use]
    pub fn in_words(&self) -> String {
        let Self { class, message, .. } = self;
        if class.is_empty() { message.clone() } else { format!("{class}: {message}") }
    }

    /// The same with its texts cut to [`MAX_MESSAGE`] and [`MAX_TRACE`], at a character's edge.
    #[must_use]
    pub fn capped(mut self) -> Self {
        cut(&mut self.class, 255);
        cut(&mut self.message, MAX_MESSAGE);
        cut(&mut self.file, 1024);
        cut(&mut self.trace, MAX_TRACE);
        self
    }
}

fn cut(text: &mut String, limit: usize) {
    if text.len() <= limit {
        return;
    }
    let mut end = limit - '…'.len_utf8();
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.truncate(end);
    text.push('…');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_cut_at_a_characters_edge() {
        let failure = Failure::new(FailureKind::Thrown, "X", "ü".repeat(MAX_MESSAGE)).capped();
        assert!(failure.message.len() <= MAX_MESSAGE);
        assert!(failure.message.ends_with("ü…"));
    }
}
