//! Provides the daemon's log lines: one line an event, to standard error, as text where a person reads it and as JSON elsewhere.

use crate::application::Level;
use proletarier_core::settings;
use serde_json::{Map, Value};
use std::fmt::{Display, Write as _};
use std::io::{IsTerminal, Write as _};
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::time::SystemTime;

/// The least level, as a number.
static LEAST: AtomicU8 = AtomicU8::new(Level::Info as u8);
static JSON: AtomicBool = AtomicBool::new(false);

/// Sets form and least level of this process, and of those that it forks.
pub fn configure(log: &settings::LogSettings) {
    let json = match log.format {
        settings::LogFormat::Auto => !std::io::stderr().is_terminal(),
        settings::LogFormat::Json => true,
        settings::LogFormat::Text => false,
    };
    let least = match log.level {
        settings::Level::Debug => Level::Debug,
        settings::Level::Info | settings::Level::Notice => Level::Info,
        settings::Level::Warning => Level::Warning,
        _ => Level::Error,
    };
    LEAST.store(least as u8, Ordering::Relaxed);
    JSON.store(json, Ordering::Relaxed);
}

/// Writes one line. Fields are name and value pairs; a value that is a number stays one in JSON.
pub fn line(level: Level, message: &str, fields: &[(&str, &dyn Display)]) {
    if (level as u8) < LEAST.load(Ordering::Relaxed) {
        return;
    }
    let time = humantime::format_rfc3339_millis(SystemTime::now());
    let mut line =
        if JSON.load(Ordering::Relaxed) { json(&time, level, message, fields) } else { text(&time, level, message, fields) };
    line.push('\n');
    // One write, so that lines of several processes do not mix. A log that can't be written to has nobody to tell.
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

fn json(time: &dyn Display, level: Level, message: &str, fields: &[(&str, &dyn Display)]) -> String {
    let mut line = Map::new();
    line.insert("time".into(), time.to_string().into());
    line.insert("level".into(), word(level).to_lowercase().into());
    line.insert("message".into(), message.into());
    for (name, value) in fields {
        let text = value.to_string();
        let value = text.parse::<i64>().map_or_else(|_| Value::from(text), Value::from);
        line.insert((*name).into(), value);
    }
    Value::Object(line).to_string()
}

fn text(time: &dyn Display, level: Level, message: &str, fields: &[(&str, &dyn Display)]) -> String {
    let mut line = format!("{time} {:<5} {message}", word(level));
    for (name, value) in fields {
        let value = value.to_string();
        let plain = !value.is_empty() && !value.contains(|c: char| c.is_whitespace() || c.is_control() || c == '"');
        let _ = if plain { write!(line, " {name}={value}") } else { write!(line, " {name}={}", Value::from(value)) };
    }
    line
}

const fn word(level: Level) -> &'static str {
    match level {
        Level::Debug => "DEBUG",
        Level::Info => "INFO",
        Level::Warning => "WARNING",
        Level::Error => "ERROR",
    }
}
