//! Provides the reader of a map of settings: takes fields by key with checks, then refuses what is left over.
//!
//! A setting is spelled in one place, the call that takes it; the keys that were asked for are the keys that are known.

use super::error::SettingError;
use crate::nearest::nearest;
use serde_json::{Map, Value};

/// What PHP's empty array (`[]`, a list to JSON), null and an absent map have in common.
fn as_map(value: &Value) -> Option<Option<&Map<String, Value>>> {
    match value {
        Value::Object(map) => Some(Some(map)),
        Value::Array(list) if list.is_empty() => Some(None),
        Value::Null => Some(None),
        _ => None,
    }
}

/// Reads one map of settings.
pub(super) struct Reader<'a> {
    /// The full key of the map; empty for the outermost one.
    prefix: String,
    map: Option<&'a Map<String, Value>>,
    known: Vec<&'static str>,
    secret: bool,
}

impl<'a> Reader<'a> {
    /// A reader of the outermost map.
    pub fn root(value: &'a Value) -> Result<Self, SettingError> {
        Field { key: String::new(), value, secret: false }.reader()
    }

    /// Takes a field. Null counts as not given, as in PHP.
    pub fn take(&mut self, key: &'static str) -> Option<Field<'a>> {
        self.known.push(key);
        let value = self.map?.get(key).filter(|value| !value.is_null())?;
        Some(Field { key: self.full_key(key), value, secret: self.secret })
    }

    /// Takes a field and reads it, or returns None where it isn't given.
    pub fn optional<T>(
        &mut self,
        key: &'static str,
        read: impl FnOnce(Field<'a>) -> Result<T, SettingError>,
    ) -> Result<Option<T>, SettingError> {
        self.take(key).map(read).transpose()
    }

    /// Takes a field and reads it, or returns the default where it isn't given.
    pub fn or<T>(
        &mut self,
        key: &'static str,
        default: T,
        read: impl FnOnce(Field<'a>) -> Result<T, SettingError>,
    ) -> Result<T, SettingError> {
        Ok(self.optional(key, read)?.unwrap_or(default))
    }

    /// Takes a map; an absent one is read as an empty one, so that its defaults have one place.
    pub fn section(&mut self, key: &'static str) -> Result<Reader<'a>, SettingError> {
        let prefix = self.full_key(key);
        let secret = self.secret;
        match self.take(key) {
            Some(field) => field.reader(),
            None => Ok(Reader { prefix, map: None, known: Vec::new(), secret }),
        }
    }

    /// The same, the values of its keys kept out of messages.
    pub fn secret_section(&mut self, key: &'static str) -> Result<Reader<'a>, SettingError> {
        let secret = std::mem::replace(&mut self.secret, true);
        let section = self.section(key);
        self.secret = secret;
        section
    }

    /// The full key of a key of this map.
    pub fn full_key(&self, key: &str) -> String {
        if self.prefix.is_empty() { key.to_owned() } else { format!("{}.{key}", self.prefix) }
    }

    /// Ends the reading: refuses the keys that nobody took.
    pub fn finish(self) -> Result<(), SettingError> {
        let leftover = self.map.into_iter().flatten().find(|(key, _)| !self.known.contains(&key.as_str()));
        let Some((key, value)) = leftover else {
            return Ok(());
        };
        Err(SettingError::UnknownKey {
            key: self.full_key(key),
            value: shown(value, self.secret),
            nearest: nearest(key, self.known.iter().copied()).map(|name| self.full_key(name)),
            known: self.known,
        })
    }
}

/// A value with its full key.
pub(super) struct Field<'a> {
    pub key: String,
    pub value: &'a Value,
    /// Whether the value must not appear in a message.
    pub secret: bool,
}

impl<'a> Field<'a> {
    /// The error that this value is not what the key takes.
    pub fn refuse(&self, allowed: impl Into<String>) -> SettingError {
        let mut allowed = allowed.into();
        if let Value::String(text) = self.value
            && !text.is_empty()
            && text.trim().parse::<f64>().is_ok()
        {
            allowed.push_str(" (this is a string of digits: write the number without quotes)");
        }
        self.refuse_plainly(allowed)
    }

    /// The same without the hint about digits, for keys that take strings.
    pub fn refuse_plainly(&self, allowed: impl Into<String>) -> SettingError {
        SettingError::BadValue {
            key: self.key.clone(),
            value: shown(self.value, self.secret),
            allowed: allowed.into(),
            nearest: None,
        }
    }

    /// A map of settings.
    pub fn reader(self) -> Result<Reader<'a>, SettingError> {
        let Some(map) = as_map(self.value) else {
            return Err(self.refuse_plainly("a map of keys to values"));
        };
        let reader = Reader { prefix: self.key, map, known: Vec::new(), secret: self.secret };
        if map.is_some_and(|map| map.contains_key("serializer")) {
            return Err(SettingError::Serializer { key: reader.full_key("serializer") });
        }
        Ok(reader)
    }

    /// A map whose keys are the user's own (names, patterns), as fields in the order of the keys.
    pub fn entries(self, what: &str) -> Result<Vec<(&'a str, Field<'a>)>, SettingError> {
        let Some(map) = as_map(self.value) else {
            return Err(self.refuse_plainly(format!("a map of {what}")));
        };
        Ok(map
            .into_iter()
            .flatten()
            .map(|(key, value)| {
                let full = format!("{}.{key}", self.key);
                (key.as_str(), Field { key: full, value, secret: self.secret })
            })
            .collect())
    }

    /// The elements of a list; an element's key is `key[0]` and so on.
    pub fn items(self, what: &str) -> Result<Vec<Field<'a>>, SettingError> {
        let Value::Array(list) = self.value else {
            return Err(self.refuse_plainly(format!("a list of {what}")));
        };
        Ok(list
            .iter()
            .enumerate()
            .map(|(index, value)| Field { key: format!("{}[{index}]", self.key), value, secret: self.secret })
            .collect())
    }

    /// Whether the value is `false`, which turns some settings off.
    pub fn is_false(&self) -> bool {
        self.value == &Value::Bool(false)
    }

    /// What `read` reads, or None for `false`.
    pub fn unless_false<T>(self, read: impl FnOnce(Self) -> Result<T, SettingError>) -> Result<Option<T>, SettingError> {
        if self.is_false() {
            return Ok(None);
        }
        match read(self) {
            Err(SettingError::BadValue { key, value, allowed, nearest }) => {
                let allowed = format!("{allowed}, or false for none");
                Err(SettingError::BadValue { key, value, allowed, nearest })
            }
            result => result.map(Some),
        }
    }
}

/// A value as a message shows it: JSON of at most 80 characters.
fn shown(value: &Value, secret: bool) -> String {
    const MOST: usize = 80;
    if secret {
        return "(not shown)".to_owned();
    }
    let text = value.to_string();
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn leftovers_are_refused_with_the_nearest_key() {
        let value = json!({"worker": {"pool_sise": 5, "bind": "x"}});
        let mut root = Reader::root(&value).unwrap();
        let mut worker = root.section("worker").unwrap();
        worker.take("pool_size");
        worker.take("bind");
        let error = worker.finish().unwrap_err();
        assert_eq!(
            error.to_string(),
            "worker.pool_sise: unknown key (its value: 5); did you mean worker.pool_size? Allowed here: pool_size, bind"
        );
        assert_eq!(error.key(), "worker.pool_sise");
        root.finish().unwrap();
    }

    #[test]
    fn empty_maps_come_in_three_forms() {
        for value in [json!({}), json!([]), json!(null)] {
            Reader::root(&value).unwrap().finish().unwrap();
            let outer = json!({"worker": value});
            let mut root = Reader::root(&outer).unwrap();
            root.section("worker").unwrap().finish().unwrap();
        }
        let list = json!({"worker": [1]});
        let mut root = Reader::root(&list).unwrap();
        assert_eq!(root.section("worker").err().unwrap().to_string(), "worker: [1] is not allowed: give a map of keys to values");
    }

    #[test]
    fn values_are_shortened_and_secrets_hidden() {
        assert_eq!(shown(&json!("é".repeat(100)), false).chars().count(), 83);
        let value = json!({"curve": {"secret": "xyz", "sekret": "xyz"}});
        let mut root = Reader::root(&value).unwrap();
        let mut curve = root.secret_section("curve").unwrap();
        let error = curve.take("secret").unwrap().refuse("a key");
        assert!(!error.to_string().contains("xyz"));
        assert!(!curve.finish().unwrap_err().to_string().contains("xyz"));
    }

    #[test]
    fn a_serializer_has_its_own_message() {
        let value = json!({"client": {"serializer": "php"}});
        let mut root = Reader::root(&value).unwrap();
        let error = root.section("client").err().unwrap().to_string();
        assert!(error.starts_with("client.serializer: "), "{error}");
        assert!(error.contains("only JSON"), "{error}");
    }
}
