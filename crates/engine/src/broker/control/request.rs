//! Defines what can be asked, as it stands in a request.

use proletarier_core::delivery::SpentAttempt;
use proletarier_core::queue::Filter;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// Entries in one answer, and cursors in one request, at most.
pub const MOST: usize = 1_000;

/// Reads a request.
///
/// # Errors
/// What is wrong with it, in words.
pub fn read<T: DeserializeOwned>(request: &[u8]) -> Result<T, String> {
    serde_json::from_slice(request).map_err(|error| error.to_string())
}

/// What all requests have.
#[derive(Deserialize)]
pub struct Command {
    pub command: String,
}

/// A request with nothing more.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plain {
    #[serde(rename = "command")]
    _command: IgnoredAny,
}

/// A page of a list.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct List {
    #[serde(rename = "command")]
    _command: IgnoredAny,
    /// Where it begins: after this cursor.
    #[serde(default)]
    pub after: u64,
    #[serde(default = "hundred")]
    pub limit: usize,
    #[serde(default, deserialize_with = "filter")]
    pub filter: Option<Filter>,
    /// Whether the params are to be told.
    #[serde(default)]
    pub params: bool,
}

/// Something to be done with entries: with those of these cursors, or with all after a cursor that are meant.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Which {
    #[serde(rename = "command")]
    _command: IgnoredAny,
    #[serde(default)]
    cursors: Option<Vec<u64>>,
    #[serde(default, deserialize_with = "filter")]
    filter: Option<Filter>,
    #[serde(default)]
    after: u64,
}

/// The same, checked.
pub enum Meant {
    Cursors(Vec<u64>),
    Filter { filter: Filter, after: u64 },
}

impl Which {
    /// # Errors
    /// Where it is not said what is meant: nothing must be done to all by omission.
    pub fn meant(self) -> Result<Meant, String> {
        match (self.cursors, self.filter) {
            (Some(cursors), None) if cursors.len() > MOST => {
                Err(format!("{} cursors: at most {MOST} are possible in one request", cursors.len()))
            }
            (Some(cursors), None) => Ok(Meant::Cursors(cursors)),
            (None, Some(filter)) => Ok(Meant::Filter { filter, after: self.after }),
            _ => Err("give either cursors or a filter ({} for all)".to_owned()),
        }
    }
}

/// One event.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Of {
    #[serde(rename = "command")]
    _command: IgnoredAny,
    pub id: String,
}

/// One queue.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfQueue {
    #[serde(rename = "command")]
    _command: IgnoredAny,
    pub queue: String,
}

/// Dead letters from elsewhere.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Import {
    #[serde(rename = "command")]
    _command: IgnoredAny,
    pub letters: Vec<Imported>,
}

/// A dead letter as it is exported.
#[derive(Deserialize)]
pub struct Imported {
    pub version: u32,
    pub id: String,
    pub name: String,
    pub params: Box<RawValue>,
    pub triggered_at: u64,
    #[serde(default)]
    pub listeners: Option<Vec<String>>,
    #[serde(default)]
    pub attempts: Vec<SpentAttempt>,
    #[serde(default, deserialize_with = "headers")]
    pub headers: BTreeMap<String, String>,
    #[serde(default)]
    pub queue: Option<String>,
    #[serde(default)]
    pub key: Option<String>,
    #[serde(default)]
    pub unique: Option<String>,
    #[serde(default)]
    pub priority: Option<String>,
}

const fn hundred() -> usize {
    100
}

/// PHP writes an empty map as an empty list.
fn filter<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Filter>, D::Error> {
    map(deserializer)
}

fn headers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, String>, D::Error> {
    map(deserializer).map(Option::unwrap_or_default)
}

fn map<'de, D: Deserializer<'de>, T: DeserializeOwned + Default>(deserializer: D) -> Result<Option<T>, D::Error> {
    match Value::deserialize(deserializer)? {
        Value::Null => Ok(None),
        Value::Array(list) if list.is_empty() => Ok(Some(T::default())),
        value => serde_json::from_value(value).map(Some).map_err(serde::de::Error::custom),
    }
}
