//! Gives dead letters away and takes them in, as JSON: to another daemon, or to a file and back.

use super::request::{Import, Imported, List};
use super::walk::{Written, params};
use super::{Answer, Broker};
use crate::clock;
use proletarier_core::delivery::{DeadLetter, Delivery, MAX_HISTORY, Rest, SpentAttempt};
use proletarier_core::failure::{Failure, FailureKind};
use proletarier_core::name::check_name;
use proletarier_core::record::{Headers, Priority, Record, is_valid_id};
use proletarier_core::time::Now;
use serde::Serialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The version of what is given away, and the only one that is taken in.
const VERSION: u32 = 1;

#[derive(Serialize)]
struct Exported<'a> {
    version: u32,
    id: &'a str,
    name: &'a str,
    params: Option<Box<RawValue>>,
    triggered_at: u64,
    listeners: Option<&'a [String]>,
    attempts: &'a [SpentAttempt],
    at: u64,
    headers: BTreeMap<&'a str, &'a str>,
    queue: Option<&'a str>,
    key: Option<&'a str>,
    unique: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
}

impl Broker<'_> {
    pub(super) fn failed_export(&mut self, list: &List) -> Answer {
        let mut written = Written::new(list.limit);
        let next = self.walk_letters(list.after, list.filter.as_ref(), |_, DeadLetter { delivery, at }| {
            let record = Record::decode(&delivery.record).unwrap_or_default();
            written.push(&Exported {
                version: VERSION,
                id: record.id,
                name: record.name,
                params: params(record.params),
                triggered_at: record.triggered_at,
                listeners: delivery.only(),
                attempts: delivery.history(),
                at,
                headers: record.headers.iter().collect(),
                queue: record.queue,
                key: record.key,
                unique: record.unique,
                priority: (record.priority != Priority::Normal).then(|| record.priority.word()),
            })
        });
        Answer::Page(written.answer("letters", next))
    }

    /// All of them, or, where one is bad, none.
    pub(super) fn failed_import(&mut self, import: Import) -> Result<Answer, String> {
        let now = clock::now();
        let letters = import.letters.into_iter().enumerate();
        let read = letters.map(|(place, letter)| delivery(letter, now).map_err(|error| format!("letter {}: {error}", place + 1)));
        let deliveries = read.collect::<Result<Vec<_>, String>>()?;
        let done = deliveries.len();
        for delivery in deliveries {
            self.queue.handle_import(delivery, now, &mut self.effects);
        }
        Ok(Answer::Kept(json!({ "done": done })))
    }
}

fn delivery(letter: Imported, now: Now) -> Result<Delivery, String> {
    if letter.version != VERSION {
        return Err(format!("version {}: this broker takes version {VERSION}", letter.version));
    }
    // Lengths are checked before they are written in a byte.
    let within = |text: &Option<String>, most: usize| text.as_ref().is_none_or(|text| (1..=most).contains(&text.len()));
    check_name(letter.name.as_bytes()).map_err(|error| error.to_string())?;
    if !is_valid_id(letter.id.as_bytes()) {
        return Err(format!("\"{}\" is no event's id", letter.id));
    }
    if !(within(&letter.queue, 64) && within(&letter.key, 255) && within(&letter.unique, 255)) {
        return Err("queue, key or unique is empty or too long".to_owned());
    }
    if letter.headers.iter().any(|(name, value)| !(1..=64).contains(&name.len()) || value.len() > 1024) {
        return Err("a header's name or value is too long".to_owned());
    }
    let priority = match letter.priority.as_deref() {
        None => Priority::Normal,
        Some(word) => Priority::from_word(word).ok_or_else(|| format!("\"{word}\" is no priority"))?,
    };
    let headers: Vec<_> = letter.headers.into_iter().collect();
    // What was no JSON went away as a string.
    let text: Option<String> = serde_json::from_str(letter.params.get()).ok();
    let params = text.as_deref().unwrap_or_else(|| letter.params.get());
    let mut bytes = Vec::new();
    let record = Record {
        id: &letter.id,
        name: &letter.name,
        triggered_at: letter.triggered_at,
        queue: letter.queue.as_deref(),
        key: letter.key.as_deref(),
        unique: letter.unique.as_deref(),
        priority,
        headers: Headers::Pairs(&headers),
        params: params.as_bytes(),
        ..Record::default()
    };
    record.encode(&mut bytes);
    Record::decode(&bytes).map_err(|error| error.to_string())?;
    let mut history = letter.attempts;
    if history.is_empty() {
        let failure = Failure::new(FailureKind::Unrecoverable, "imported", "it came without its attempts");
        history.push(SpentAttempt { attempt: 1, at: now.wall.0, failure, replayed: None });
    }
    history.drain(..history.len().saturating_sub(MAX_HISTORY));
    for spent in &mut history {
        spent.failure = spent.failure.clone().capped();
    }
    let attempt = history.last().map_or(1, |spent| spent.attempt);
    let rest = Rest { only: letter.listeners.map(Into::into), history, unique: None, holds_key: false };
    Ok(Delivery { attempt, rest: Some(Arc::new(rest)), ..Delivery::first(bytes.into()) })
}
