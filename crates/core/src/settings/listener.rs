//! Defines the options of one listener.

use super::error::SettingError;
use super::reader::{Field, Reader};
use super::retry::RetryOverrides;
use super::worker::read_timeout;
use serde_json::Value;
use std::time::Duration;

/// The longest identity of a listener, in bytes.
pub const MAX_LISTENER_ID_LENGTH: usize = 255;

/// How long a listener may run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum ListenerTimeout {
    /// `worker.timeout`.
    #[default]
    Inherited,
    /// This long.
    After(Duration),
    /// As long as it takes: `false`.
    Never,
}

/// What is given with a listener: `id`, `timeout`, `retry`, `parallel`.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ListenerOptions {
    /// `id`: the listener's identity, 1 to 255 bytes of UTF-8. Default: the configuration's key, else what it is made of.
    pub id: Option<String>,
    /// `timeout`: seconds that it may take, 0.01 to 604,800 (7 days), or false. Default: `worker.timeout`.
    pub timeout: ListenerTimeout,
    /// `retry`: over the setting `retry`.
    pub retry: RetryOverrides,
    /// `parallel`: whether it is a delivery of its own from the start. Default: `worker.parallel`.
    pub parallel: Option<bool>,
}

impl ListenerOptions {
    /// Reads the map of a listener's options. Keys in errors are those of this map (`retry.delay`): the caller names the listener.
    pub fn read(options: &Value) -> Result<Self, SettingError> {
        let mut map = Reader::root(options)?;
        let settings = Self {
            id: map.optional("id", |field| field.text(MAX_LISTENER_ID_LENGTH).map(str::to_owned))?,
            timeout: map.or("timeout", ListenerTimeout::Inherited, read_listener_timeout)?,
            retry: RetryOverrides::read(&mut map)?,
            parallel: map.optional("parallel", |field| field.boolean())?,
        };
        map.finish()?;
        Ok(settings)
    }
}

fn read_listener_timeout(field: Field<'_>) -> Result<ListenerTimeout, SettingError> {
    read_timeout(field).map(|timeout| timeout.map_or(ListenerTimeout::Never, ListenerTimeout::After))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::retry::RetryPolicy;
    use serde_json::json;

    #[test]
    fn defaults_are_inherited() {
        for empty in [json!([]), json!({}), json!(null)] {
            assert_eq!(ListenerOptions::read(&empty), Ok(ListenerOptions::default()));
        }
    }

    #[test]
    fn all_options() {
        let options = ListenerOptions::read(&json!({
            "id": "mail", "timeout": 10, "parallel": true, "retry": {"max_attempts": 3, "delay": 0.5},
        }))
        .unwrap();
        assert_eq!(options.id.as_deref(), Some("mail"));
        assert_eq!(options.timeout, ListenerTimeout::After(Duration::from_secs(10)));
        assert_eq!(options.parallel, Some(true));
        let policy = options.retry.over(&RetryPolicy::default());
        assert_eq!(policy.max_attempts, 3);
        assert_eq!(policy.delay, Duration::from_millis(500));
        assert_eq!(policy.max_delay, Duration::from_secs(3600));
        let never = ListenerOptions::read(&json!({"timeout": false})).unwrap();
        assert_eq!(never.timeout, ListenerTimeout::Never);
    }

    #[test]
    fn a_long_delay_raises_the_limit_that_is_not_its_own() {
        let long = ListenerOptions::read(&json!({"retry": {"delay": 7200}})).unwrap();
        assert_eq!(long.retry.over(&RetryPolicy::default()).max_delay, Duration::from_secs(7200));
        let error = ListenerOptions::read(&json!({"retry": {"delay": 10, "max_delay": 5}})).unwrap_err();
        assert_eq!(error.to_string(), "retry.max_delay: 5 is not allowed: give seconds from 10 to 2592000, as integer or float");
    }

    #[test]
    fn wrong_ones_are_named() {
        for (options, start) in [
            (json!({"tiemout": 1}), "tiemout: unknown key (its value: 1); did you mean timeout?"),
            (json!({"retry": {"attempts": 1}}), "retry.attempts: unknown key"),
            (json!({"id": ""}), "id: \"\" is not allowed: give a string of 1 to 255 bytes"),
            (json!({"parallel": 1}), "parallel: 1 is not allowed: give true or false"),
            (json!({"timeout": "5"}), "timeout: \"5\" is not allowed: give seconds from 0.01 to 604800"),
            (json!(["x"]), ": [\"x\"]"),
        ] {
            let error = ListenerOptions::read(&options).unwrap_err().to_string();
            assert!(error.starts_with(start), "{error}");
        }
    }
}
