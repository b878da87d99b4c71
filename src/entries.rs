//! Provides the entries of PHP arrays whose keys may be any bytes; `ext-php-rs`'s own iteration panics where a key is not UTF-8.

use ext_php_rs::types::{ArrayKey, ZendHashTable, Zval};

/// An entry's key.
pub enum Key {
    /// An integer.
    Index(i64),
    /// A string.
    Name(Zval),
}

impl Key {
    /// Its text, invalid UTF-8 replaced.
    #[must_use]
    pub fn text(&self) -> String {
        match self {
            Self::Index(index) => index.to_string(),
            Self::Name(name) => crate::php::throwable::text(name),
        }
    }

    /// The bytes of a string key.
    #[must_use]
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Self::Index(_) => None,
            Self::Name(name) => name.zend_str().map(|name| name.as_bytes()),
        }
    }

    /// The key as `ext-php-rs` takes it.
    #[must_use]
    pub fn as_array_key(&self) -> ArrayKey<'_> {
        match self {
            Self::Index(index) => ArrayKey::Long(*index),
            Self::Name(name) => name.zend_str().map_or(ArrayKey::Str(""), ArrayKey::ZendString),
        }
    }

    /// The key as a value.
    #[must_use]
    pub fn to_value(&self) -> Zval {
        match self {
            Self::Index(index) => {
                let mut value = Zval::new();
                value.set_long(*index);
                value
            }
            Self::Name(name) => name.shallow_clone(),
        }
    }
}

/// Keys and values, these behind their references, in order.
pub fn of(array: &ZendHashTable) -> impl Iterator<Item = (Key, &Zval)> {
    let mut entries = array.iter();
    std::iter::from_fn(move || {
        let (key, value) = entries.next_zval()?;
        let key = key.long().map_or_else(|| Key::Name(key.shallow_clone()), Key::Index);
        Some((key, value.dereference()))
    })
}
