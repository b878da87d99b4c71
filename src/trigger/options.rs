//! Reads trigger()'s third argument.

use super::invalid;
use crate::confirm::Confirm as ConfirmEnum;
use crate::entries;
use crate::php::spl;
use crate::shown;
use ext_php_rs::convert::FromZval;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, ZendObject, Zval};
use proletarier_core::nearest::nearest;
use proletarier_core::record::{Priority, is_valid_id};
use proletarier_core::settings;
use proletarier_engine::client::{Asked, Confirm};

/// The keys that there are, in the order in which messages tell them.
const KEYS: [&str; 12] =
    ["confirm", "delay", "at", "expires", "queue", "priority", "key", "unique", "unique_for", "id", "headers", "spool"];
const MAX_HEADERS: usize = 32;
const MAX_HEADER_NAME: usize = 64;
const MAX_HEADER_VALUE: usize = 1024;

/// What was asked for. Moments are microseconds, since 1970 where they are not spans.
#[derive(Default)]
pub struct Options {
    pub confirm: Option<Confirm>,
    pub delay: Option<u64>,
    pub at: Option<u64>,
    pub expires: Option<u64>,
    pub queue: Option<String>,
    pub priority: Priority,
    pub key: Option<String>,
    pub unique: Option<String>,
    /// A span.
    pub unique_for: Option<u64>,
    pub id: Option<String>,
    pub headers: Vec<(String, String)>,
    /// False: it must not go to the spool.
    pub spool: Option<bool>,
}

impl Options {
    /// Reads the map; null counts as not given. `now` is wall time in microseconds.
    pub fn read(map: &ZendHashTable, now: u64) -> Result<Self, PhpException> {
        let mut options = Self::default();
        for (key, value) in entries::of(map) {
            let key = key.text();
            if !KEYS.contains(&key.as_str()) {
                return Err(unknown(&key));
            }
            if value.is_null() {
                continue;
            }
            match key.as_str() {
                "confirm" => options.confirm = Some(confirm(value)?),
                "delay" => options.delay = Some(micros(value, 0.0).ok_or_else(|| refuse("delay", value, "seconds, 0 or more"))?),
                "at" => options.at = Some(moment(value).ok_or_else(|| refuse("at", value, "a DateTimeInterface"))?),
                "expires" => options.expires = Some(expires(value, now)?),
                "queue" => options.queue = Some(text("queue", value, 64)?),
                "priority" => options.priority = priority(value)?,
                "key" => options.key = Some(text("key", value, 255)?),
                "unique" => options.unique = Some(text("unique", value, 255)?),
                "unique_for" => {
                    let span = micros(value, f64::MIN_POSITIVE);
                    options.unique_for = Some(span.ok_or_else(|| refuse("unique_for", value, "seconds, more than 0"))?);
                }
                "id" => options.id = Some(id(value)?),
                "headers" => options.headers = headers(value)?,
                key => options.spool = Some(value.bool().ok_or_else(|| refuse(key, value, "true or false"))?),
            }
        }
        if options.delay.is_some() && options.at.is_some() {
            return Err(invalid("options['at']: give either delay or at"));
        }
        if options.unique_for.is_some() && options.unique.is_none() {
            return Err(invalid("options['unique_for']: it tells how long options['unique'] is held: give that too"));
        }
        if options.key.is_some() && options.priority != Priority::Normal {
            return Err(invalid(
                "options['priority']: events of one key run in the order in which they come: give either key or priority",
            ));
        }
        Ok(options)
    }

    /// What holds: the option's level, else the client's. `unique` can't be told without the broker's word, and an event that must not be
    /// spooled is one whose caller wants to hear of it.
    pub fn asked(&self, default: Confirm) -> Asked {
        let spool = self.spool.unwrap_or(true);
        let confirm = match self.confirm.unwrap_or(default) {
            Confirm::None | Confirm::Deferred if self.unique.is_some() || !spool => Confirm::Accepted,
            level => level,
        };
        Asked { confirm, spool }
    }
}

fn unknown(key: &str) -> PhpException {
    let hint = nearest(key, KEYS).map_or_else(|| ".".into(), |near| format!("; did you mean {near}?"));
    invalid(format!("options['{key}']: unknown option{hint} Allowed: {}", KEYS.join(", ")))
}

fn refuse(key: &str, value: &Zval, allowed: &str) -> PhpException {
    refuse_at(&format!("options['{key}']"), value, allowed)
}

fn refuse_at(place: &str, value: &Zval, allowed: &str) -> PhpException {
    invalid(format!("{place}: {} is not allowed: give {allowed}", shown::value(value)))
}

fn confirm(value: &Zval) -> Result<Confirm, PhpException> {
    // The class is checked here: the conversion takes any enum that has a case of the name.
    let case = value.object().filter(|object| object.is_instance::<ConfirmEnum>()).and_then(|_| ConfirmEnum::from_zval(value));
    if let Some(case) = case {
        return Ok(case.into());
    }
    let word = value.str().and_then(settings::Confirm::from_word);
    word.map(crate::client::level)
        .ok_or_else(|| refuse("confirm", value, "'none', 'deferred', 'accepted', 'synced' or a Proletarier\\Confirm"))
}

fn priority(value: &Zval) -> Result<Priority, PhpException> {
    let priority = value.str().and_then(Priority::from_word);
    priority.ok_or_else(|| refuse("priority", value, "'high', 'normal' or 'low'"))
}

/// Seconds, of `least` or more, as microseconds; beyond some 500,000 years it is these.
fn micros(value: &Zval, least: f64) -> Option<u64> {
    let seconds = value.double().or_else(|| value.long().map(|number| number as f64))?;
    (seconds.is_finite() && seconds >= least).then(|| (seconds * 1e6).round() as u64)
}

fn expires(value: &Zval, now: u64) -> Result<u64, PhpException> {
    let at = moment(value).or_else(|| micros(value, f64::MIN_POSITIVE).map(|span| now.saturating_add(span)));
    at.ok_or_else(|| refuse("expires", value, "seconds, more than 0, or a DateTimeInterface"))
}

/// A DateTimeInterface's microseconds since 1970; 0 for what was before.
fn moment(value: &Zval) -> Option<u64> {
    let object: &ZendObject = value.object().filter(|object| object.instance_of(spl::date_time()))?;
    let text = object.try_call_method("format", vec![&"U u"]).ok()?;
    let (seconds, micros) = text.str()?.split_once(' ')?;
    let seconds: i64 = seconds.parse().ok()?;
    Some(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000).saturating_add(micros.parse().ok()?))
}

fn text(key: &str, value: &Zval, most: usize) -> Result<String, PhpException> {
    let text = value.str().filter(|text| (1..=most).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| refuse(key, value, &format!("a string of 1 to {most} bytes")))
}

fn id(value: &Zval) -> Result<String, PhpException> {
    let id = value.str().filter(|id| is_valid_id(id.as_bytes()));
    id.map(str::to_owned)
        .ok_or_else(|| refuse("id", value, "a string of 1 to 64 bytes of A-Z, a-z, 0-9, \".\", \"_\", \":\" and \"-\""))
}

fn headers(value: &Zval) -> Result<Vec<(String, String)>, PhpException> {
    let map = value.array().ok_or_else(|| refuse("headers", value, "a map of strings"))?;
    if map.len() > MAX_HEADERS {
        return Err(invalid(format!("options['headers'] has {} entries: at most {MAX_HEADERS} are allowed", map.len())));
    }
    let mut headers = Vec::with_capacity(map.len());
    for (key, value) in entries::of(map) {
        let name = key
            .bytes()
            .and_then(|name| std::str::from_utf8(name).ok())
            .filter(|name| (1..=MAX_HEADER_NAME).contains(&name.len()));
        let Some(name) = name else {
            return Err(refuse_at(
                "a name in options['headers']",
                &key.to_value(),
                &format!("a string of 1 to {MAX_HEADER_NAME} bytes"),
            ));
        };
        let text = value.str().filter(|text| text.len() <= MAX_HEADER_VALUE);
        let text = text.ok_or_else(|| {
            refuse_at(&format!("options['headers']['{name}']"), value, &format!("a string of at most {MAX_HEADER_VALUE} bytes"))
        })?;
        headers.push((name.to_owned(), text.to_owned()));
    }
    Ok(headers)
}
