//! Walks through a list of the backlog's, page by page, and no further than one request may: the broker has clients and workers to serve.

use super::request::MOST;
use proletarier_core::backlog::{Page, Token};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// Entries asked of the backlog at once.
const STEP: usize = 100;
/// Bytes of one answer, but for one larger entry.
pub const ANSWER: usize = 1 << 20;
/// Bytes of records looked at for one answer, but for those of one step.
const LOOKED_AT: usize = 16 << 20;

/// Whether to go on.
pub enum Go {
    On,
    /// This was the last for one request.
    Enough,
}

/// Gives each entry after `after` to `take`, until that has enough, or [`MOST`] were looked at. Gives the token to go on after, none at the end.
/// `look` tells an entry's token, and the bytes of its record.
pub fn walk<T>(
    mut after: Token,
    mut page: impl FnMut(Token, usize) -> Page<T>,
    look: impl Fn(&T) -> (Token, usize),
    mut take: impl FnMut(T) -> Go,
) -> Option<Token> {
    let mut bytes = 0;
    for _ in 0..MOST / STEP {
        let Page { items, next } = page(after, STEP);
        for item in items {
            let (token, length) = look(&item);
            bytes += length;
            if matches!(take(item), Go::Enough) {
                return Some(token);
            }
        }
        after = next?;
        if bytes >= LOOKED_AT {
            break;
        }
    }
    Some(after)
}

/// Entries written as JSON, for one answer.
pub struct Written {
    json: String,
    limit: usize,
}

impl Written {
    /// At most `limit` entries.
    pub fn new(limit: usize) -> Self {
        Self { json: String::new(), limit: limit.clamp(1, MOST) }
    }

    /// Adds an entry; whether another may follow.
    pub fn push(&mut self, entry: &impl Serialize) -> Go {
        if !self.json.is_empty() {
            self.json.push(',');
        }
        self.json.push_str(&serde_json::to_string(entry).unwrap_or_else(|_| "null".to_owned()));
        self.limit -= 1;
        if self.limit == 0 || self.json.len() >= ANSWER { Go::Enough } else { Go::On }
    }

    /// The answer: the entries under this name, and where the next page begins.
    pub fn answer(&self, name: &str, next: Option<Token>) -> String {
        let next = next.map_or_else(|| "null".to_owned(), |next| next.to_string());
        format!("{{\"{name}\":[{}],\"next\":{next}}}", self.json)
    }
}

/// Params as they stand; as a string where they are no JSON, which nobody checked before.
pub fn params(bytes: &[u8]) -> Option<Box<RawValue>> {
    let valid = serde_json::from_slice::<&RawValue>(bytes).ok().map(RawValue::to_owned);
    valid.or_else(|| to_raw_value(&String::from_utf8_lossy(bytes)).ok())
}
