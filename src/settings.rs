//! Provides the settings from a function's `$options`: the key `proletarier` of the configuration, and beside it what is the function's own.

use crate::entries;
use crate::exceptions::{self, Configuration};
use crate::json_value;
use ext_php_rs::exception::PhpException;
use ext_php_rs::types::{ZendHashTable, Zval};
use proletarier_core::settings::Settings;
use serde_json::Value;

/// What is for the package alone, where a whole configuration is given: the listeners are an argument of their own.
const OTHERS: [&str; 1] = ["listeners"];

/// Reads them, without the keys in `own`.
///
/// # Errors
/// A Configuration exception that names the key.
pub fn read(options: Option<&ZendHashTable>, own: &[&str]) -> Result<Settings, PhpException> {
    read_both(options, own).map(|(settings, _)| settings)
}

/// The same, and what they were read from.
///
/// # Errors
/// As [`read`].
pub fn read_both(options: Option<&ZendHashTable>, own: &[&str]) -> Result<(Settings, Value), PhpException> {
    let configuration = |message: String| exceptions::new::<Configuration>(message);
    let mut map = ZendHashTable::new();
    for (key, value) in options.into_iter().flat_map(entries::of) {
        let name = key.text();
        if !own.contains(&name.as_str()) && !OTHERS.contains(&name.as_str()) {
            map.insert(key.as_array_key(), value.shallow_clone()).map_err(|error| configuration(error.to_string()))?;
        }
    }
    let value = json_value::from_array(&map, "")?;
    let settings = Settings::read(&value).map_err(|error| configuration(error.to_string()))?;
    Ok((settings, value))
}

/// An option that is given: there, and not null.
#[must_use]
pub fn option<'a>(options: Option<&'a ZendHashTable>, key: &str) -> Option<&'a Zval> {
    options.and_then(|options| options.get(key)).map(Zval::dereference).filter(|value| !value.is_null())
}
