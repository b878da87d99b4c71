//! Defines which waiting events or dead letters are meant: by name, id, listener, kind of failure, or by text in the params.

use crate::delivery::Delivery;
use crate::failure::FailureKind;
use crate::pattern::Pattern;
use crate::record::Record;
use serde::Deserialize;
use serde_json::Value;

/// All that is given must match; an empty one matches everything.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Filter {
    /// The event's name, or a pattern of it.
    name: Option<String>,
    /// The event's id.
    id: Option<String>,
    /// The identity of one of the listeners that it is for. What is for all of an event's listeners is for none in particular.
    listener: Option<String>,
    /// How it failed last.
    kind: Option<FailureKind>,
    /// A part of the params' JSON, as it stands there or with nothing escaped that need not be.
    text: Option<String>,
}

impl Filter {
    /// Whether the delivery is meant.
    #[must_use]
    pub fn matches(&self, delivery: &Delivery) -> bool {
        let last = || delivery.history().last().map(|spent| spent.failure.kind);
        if self.kind.is_some_and(|kind| last() != Some(kind)) {
            return false;
        }
        let listener = |wanted: &String| delivery.only().is_some_and(|only| only.contains(wanted));
        if !self.listener.as_ref().is_none_or(listener) {
            return false;
        }
        if self.name.is_none() && self.id.is_none() && self.text.is_none() {
            return true;
        }
        let Ok(record) = Record::decode(&delivery.record) else { return false };
        self.id.as_ref().is_none_or(|id| id == record.id)
            && self.name.as_ref().is_none_or(|name| Pattern::new(name.as_str()).matches(record.name))
            && self.text.as_ref().is_none_or(|text| contains(record.params, text))
    }
}

/// Whether the JSON has the text in it. PHP escapes slashes and all that is not ASCII, and who looks for an address must find it all the same.
fn contains(json: &[u8], text: &str) -> bool {
    let Ok(plain) = std::str::from_utf8(json) else { return false };
    if plain.contains(text) {
        return true;
    }
    plain.contains('\\')
        && serde_json::from_str::<Value>(plain).is_ok_and(|value| value.to_string().contains(text) || says(&value, text))
}

/// Whether one of its strings, names among them, has the text in it.
fn says(value: &Value, text: &str) -> bool {
    match value {
        Value::String(string) => string.contains(text),
        Value::Array(list) => list.iter().any(|value| says(value, text)),
        Value::Object(map) => map.iter().any(|(name, value)| name.contains(text) || says(value, text)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::delivery::SpentAttempt;
    use crate::failure::Failure;
    use serde_json::json;

    fn delivery(params: &str) -> Delivery {
        let mut out = Vec::new();
        Record { id: "7", name: "account.created", params: params.as_bytes(), ..Record::default() }.encode(&mut out);
        let failure = Failure::new(FailureKind::Thrown, "E", "why");
        let spent = SpentAttempt { attempt: 1, at: 0, failure, replayed: None };
        Delivery::first(out.into()).for_listeners(vec!["mail".into()]).with_spent(spent)
    }

    fn matches(filter: Value, params: &str) -> bool {
        serde_json::from_value::<Filter>(filter).unwrap().matches(&delivery(params))
    }

    #[test]
    fn all_that_is_given_must_match() {
        for (filter, expected) in [
            (json!({}), true),
            (json!({ "name": "account.*" }), true),
            (json!({ "name": "account" }), false),
            (json!({ "id": "7" }), true),
            (json!({ "id": "8" }), false),
            (json!({ "listener": "mail" }), true),
            (json!({ "listener": "ma" }), false),
            (json!({ "kind": "thrown" }), true),
            (json!({ "kind": "killed" }), false),
            (json!({ "name": "account.*", "id": "7", "listener": "mail", "kind": "thrown", "text": "x" }), true),
            (json!({ "name": "account.*", "id": "7", "listener": "mail", "kind": "thrown", "text": "y" }), false),
        ] {
            assert_eq!(matches(filter.clone(), r#"{"a":"x"}"#), expected, "{filter}");
        }
        assert!(serde_json::from_value::<Filter>(json!({ "nmae": "x" })).is_err());
    }

    #[test]
    fn text_is_found_as_it_stands_and_as_it_reads() {
        let params = r#"{"url":"https:\/\/example.org","name":"J\u00fcrgen \"J\" M","deep":[{"k\u00e4se":1.50}]}"#;
        for text in ["https://example.org", "https:\\/\\/", "Jürgen", "\"name\":\"Jürgen", "\"J\"", "käse", "1.50"] {
            assert!(matches(json!({ "text": text }), params), "{text}");
        }
        assert!(!matches(json!({ "text": "jürgen" }), params));
    }
}
