//! Reads trigger()'s third argument.

use super::{invalid, kind};
use crate::confirm::Confirm as ConfirmEnum;
use crate::json_value::key_text;
use crate::php::spl;
use ext_php_rs::convert::FromZval;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, ZendObject, Zval};
use proletarier_core::nearest::nearest;
use proletarier_core::record::is_valid_id;
use proletarier_core::settings;
use proletarier_engine::client::Confirm;

/// The keys that there are, in the order in which messages tell them.
const KEYS: [&str; 10] = ["confirm", "delay", "at", "expires", "queue", "key", "unique", "id", "headers", "spool"];
/// Ten years: `delay` and `expires` beyond it are taken for milliseconds, or for a mistake.
const MAX_SECONDS: f64 = 315_360_000.0;
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
    pub key: Option<String>,
    pub unique: Option<String>,
    pub id: Option<String>,
    pub headers: Vec<(String, String)>,
    /// Carried from the start, acted on once there is a spool.
    pub _spool: Option<bool>,
}

impl Options {
    /// Reads the map; null counts as not given. `now` is wall time in microseconds.
    pub fn read(map: &ZendHashTable, now: u64) -> Result<Self, PhpException> {
        let mut options = Self::default();
        for (key, value) in map {
            let key = key_text(&key);
            let value = value.dereference();
            if !KEYS.contains(&key.as_str()) {
                return Err(unknown(&key));
            }
            if value.is_null() {
                continue;
            }
            match key.as_str() {
                "confirm" => options.confirm = Some(confirm(value)?),
                "delay" => options.delay = Some(seconds("delay", value, true)?),
                "at" => options.at = Some(moment("at", value)?),
                "expires" if value.is_object() => options.expires = Some(moment("expires", value)?),
                "expires" => options.expires = Some(now.saturating_add(seconds("expires", value, false)?)),
                "queue" => options.queue = Some(text("queue", value, 64)?),
                "key" => options.key = Some(text("key", value, 255)?),
                "unique" => options.unique = Some(text("unique", value, 255)?),
                "id" => options.id = Some(id(value)?),
                "headers" => options.headers = headers(value)?,
                _ => options._spool = Some(value.bool().ok_or_else(|| refuse("spool", value, "true or false"))?),
            }
        }
        if options.delay.is_some() && options.at.is_some() {
            return Err(invalid("options 'delay' and 'at' exclude each other: give one of them"));
        }
        Ok(options)
    }

    /// The level that holds: the option's, else the client's; `unique` can't be told without the broker's word.
    pub fn confirm_over(&self, default: Confirm) -> Confirm {
        match self.confirm.unwrap_or(default) {
            Confirm::None | Confirm::Deferred if self.unique.is_some() => Confirm::Accepted,
            level => level,
        }
    }
}

fn unknown(key: &str) -> PhpException {
    let hint = nearest(key, KEYS).map_or_else(String::new, |near| format!("; did you mean '{near}'?"));
    let allowed: Vec<_> = KEYS.iter().map(|key| format!("'{key}'")).collect();
    invalid(format!("unknown option '{key}'{hint} Allowed are {}", allowed.join(", ")).replace("' Allowed", "': allowed"))
}

fn refuse(key: &str, value: &Zval, allowed: &str) -> PhpException {
    invalid(format!("option '{key}': {} is not allowed: give {allowed}", shown(value)))
}

/// A value as messages show it.
fn shown(value: &Zval) -> String {
    const MOST: usize = 80;
    if let Some(text) = value.zend_str() {
        let text = String::from_utf8_lossy(text.as_bytes());
        let cut: String = text.chars().take(MOST).collect();
        let dots = if cut.len() < text.len() { "…" } else { "" };
        return format!("'{cut}{dots}'");
    }
    if let Some(number) = value.long() {
        return number.to_string();
    }
    if let Some(number) = value.double() {
        return number.to_string();
    }
    match value.bool() {
        Some(boolean) => boolean.to_string(),
        None => kind(value),
    }
}

fn confirm(value: &Zval) -> Result<Confirm, PhpException> {
    if let Some(case) = value.object().and_then(|_| ConfirmEnum::from_zval(value)) {
        return Ok(case.into());
    }
    let word = value.str().and_then(settings::Confirm::from_word);
    word.map(crate::client::level).ok_or_else(|| refuse("confirm", value, "a Proletarier\\Confirm, or 'none', 'deferred', 'accepted' or 'synced'"))
}

fn seconds(key: &str, value: &Zval, zero: bool) -> Result<u64, PhpException> {
    let number = value.double().or_else(|| value.long().map(|number| number as f64));
    let allowed = if zero { "seconds from 0 to 315360000 (ten years), as int or float" } else { "seconds above 0, up to 315360000 (ten years), as int or float, or a DateTimeInterface" };
    number
        .filter(|number| *number <= MAX_SECONDS && (*number > 0.0 || zero && *number == 0.0))
        .map(|number| (number * 1e6).round() as u64)
        .ok_or_else(|| refuse(key, value, allowed))
}

fn moment(key: &str, value: &Zval) -> Result<u64, PhpException> {
    let object = value.object().filter(|object| object.instance_of(spl::date_time()));
    object.and_then(micros_of).ok_or_else(|| refuse(key, value, "a DateTimeInterface"))
}

/// A DateTimeInterface's microseconds since 1970; 0 for what was before.
fn micros_of(object: &ZendObject) -> Option<u64> {
    let text = object.try_call_method("format", vec![&"U u"]).ok()?;
    let (seconds, micros) = text.str()?.split_once(' ')?;
    let seconds: i64 = seconds.parse().ok()?;
    Some(u64::try_from(seconds).unwrap_or(0).saturating_mul(1_000_000).saturating_add(micros.parse().ok()?))
}

fn text(key: &str, value: &Zval, most: usize) -> Result<String, PhpException> {
    let text = value.str().filter(|text| (1..=most).contains(&text.len()));
    text.map(str::to_owned).ok_or_else(|| refuse(key, value, &format!("a string of 1 to {most} bytes of UTF-8")))
}

fn id(value: &Zval) -> Result<String, PhpException> {
    let id = value.str().filter(|id| is_valid_id(id.as_bytes()));
    id.map(str::to_owned).ok_or_else(|| refuse("id", value, "1 to 64 bytes of A-Z, a-z, 0-9, '.', '_', ':' and '-'"))
}

fn headers(value: &Zval) -> Result<Vec<(String, String)>, PhpException> {
    let map = value.array().ok_or_else(|| refuse("headers", value, "a map of strings to strings"))?;
    if map.len() > MAX_HEADERS {
        return Err(invalid(format!("option 'headers': {} headers are too many: {MAX_HEADERS} are allowed", map.len())));
    }
    let mut headers = Vec::with_capacity(map.len());
    for (name, value) in map {
        let name = key_text(&name);
        if !(1..=MAX_HEADER_NAME).contains(&name.len()) {
            return Err(invalid(format!("option 'headers': the name '{name}' has {} bytes: 1 to {MAX_HEADER_NAME} are allowed", name.len())));
        }
        let text = value.str().filter(|text| text.len() <= MAX_HEADER_VALUE);
        let text = text.ok_or_else(|| refuse(&format!("headers.{name}"), value, &format!("a string of up to {MAX_HEADER_VALUE} bytes of UTF-8")))?;
        headers.push((name, text.to_owned()));
    }
    Ok(headers)
}
