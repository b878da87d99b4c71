//! Defines what is logged, and how: `log`.

use super::error::SettingError;
use super::reader::Reader;

/// PSR-3's levels, the least severe first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// Details of each event.
    Debug,
    /// What happens.
    Info,
    /// What is normal and significant.
    Notice,
    /// What is exceptional, but no error.
    Warning,
    /// A listener or a connection failed.
    Error,
    /// A part is unusable.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// The daemon is unusable.
    Emergency,
}

impl Level {
    /// Every level with its word, the least severe first.
    pub const ALL: [(&'static str, Self); 8] = [
        ("debug", Self::Debug),
        ("info", Self::Info),
        ("notice", Self::Notice),
        ("warning", Self::Warning),
        ("error", Self::Error),
        ("critical", Self::Critical),
        ("alert", Self::Alert),
        ("emergency", Self::Emergency),
    ];

    /// The level of this word, as in `Psr\Log\LogLevel`.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.iter().find(|(known, _)| *known == word).map(|(_, level)| *level)
    }

    /// The word of this level, as in `Psr\Log\LogLevel`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Info => "info",
            Self::Notice => "notice",
            Self::Warning => "warning",
            Self::Error => "error",
            Self::Critical => "critical",
            Self::Alert => "alert",
            Self::Emergency => "emergency",
        }
    }
}

/// The form of the log's lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// Text on a terminal, JSON elsewhere.
    Auto,
    /// Text.
    Text,
    /// JSON.
    Json,
}

/// `log`: what is logged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// `level`: the least severe level that is logged. Default: info.
    pub level: Level,
    /// `format`: 'text' or 'json'. Default (null): auto.
    pub format: LogFormat,
    /// `params`: whether events' params are logged. Default: false, as they hold personal data.
    pub params: bool,
}

impl LogSettings {
    /// Reads the keys of `log`.
    pub(super) fn read(mut map: Reader<'_>) -> Result<Self, SettingError> {
        let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
        let settings = Self {
            level: map.or("level", Level::Info, |field| field.word(&Level::ALL))?,
            format: map.or("format", LogFormat::Auto, |field| field.word(&formats))?,
            params: map.or("params", false, |field| field.boolean())?,
        };
        map.finish()?;
        Ok(settings)
    }
}
