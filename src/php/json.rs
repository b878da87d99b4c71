//! Provides PHP's own JSON encoder and decoder, called directly.
#![allow(unsafe_code)]

use ext_php_rs::ffi::{_efree, zend_string};
use ext_php_rs::types::{ZendStr, Zval};
use std::ffi::{c_char, c_int};

/// How deep params may nest.
pub const MAX_DEPTH: usize = 128;
/// The same for what is read: events of foreign clients get PHP's own default.
const MAX_DECODED_DEPTH: i64 = 512;
/// A kept buffer larger than this is given back after use.
const KEPT: usize = 64 * 1024;

const OBJECT_AS_ARRAY: i64 = 1;
/// `JSON_UNESCAPED_SLASHES | JSON_UNESCAPED_UNICODE | JSON_PRESERVE_ZERO_FRACTION`
const FLAGS: c_int = 1 << 6 | 1 << 8 | 1 << 10;

/// What `json_last_error()` reads.
#[repr(C)]
struct Globals {
    encoder_depth: c_int,
    encode_max_depth: c_int,
    error_code: c_int,
}

// SAFETY: as in php_json.h of PHP 8.1 to 8.5; exported by the PHP binary, which has ext/json built in.
unsafe extern "C" {
    static json_globals: Globals;
    fn php_json_encode_ex(buffer: *mut Buffer, value: *mut Zval, options: c_int, depth: i64) -> c_int;
    fn php_json_decode_ex(result: *mut Zval, text: *const c_char, length: usize, options: i64, depth: i64) -> c_int;
}

/// A buffer in PHP's request memory that is used again and again. It must not outlive the request: an object of PHP owns it. This is PHP's own
/// `smart_str`.
#[repr(C)]
#[derive(Debug)]
pub struct Buffer {
    string: *mut zend_string,
    capacity: usize,
}

impl Default for Buffer {
    fn default() -> Self {
        Self { string: std::ptr::null_mut(), capacity: 0 }
    }
}

impl Buffer {
    /// Encodes the value, replacing what the buffer held. None where PHP can't: the reason is PHP's `json_last_error()`, or a pending exception.
    pub fn encode(&mut self, value: &Zval) -> Option<&[u8]> {
        // SAFETY: this is a smart_str that PHP made, or an empty one. The encoder reads the value, and appends.
        let done = unsafe {
            if let Some(string) = self.string.as_mut() {
                string.len = 0;
            }
            let done = php_json_encode_ex(self, std::ptr::from_ref(value).cast_mut(), FLAGS, MAX_DEPTH as i64);
            // Of INF and NAN it makes a 0, and says so only here.
            done == 0 && json_globals.error_code == 0
        };
        done.then(|| self.text())
    }

    /// What was encoded last.
    #[must_use]
    pub fn text(&self) -> &[u8] {
        // SAFETY: the string is null or PHP's, with `len` bytes behind `val`, which nothing writes to while the buffer is borrowed.
        unsafe { self.string.as_ref() }.map_or(&[], |string| string.as_bytes())
    }

    /// Gives the memory back where it is too much to keep.
    pub fn shrink(&mut self) {
        if self.capacity > KEPT {
            *self = Self::default();
        }
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if !self.string.is_null() {
            // SAFETY: request memory that only this buffer points to, freed once.
            unsafe { _efree(self.string.cast()) };
        }
    }
}

/// Decodes JSON to scalars and arrays. None where it is no JSON, or nests too deep.
#[must_use]
pub fn decode(text: &[u8]) -> Option<Zval> {
    // PHP's decoder reads the byte behind the end, which must be a NUL. A slice can't prove that there is one; a string of PHP's has it.
    let text = ZendStr::new(text, false);
    let mut value = Zval::new();
    // SAFETY: the string lives until the end of this function, with a NUL behind its last byte; the result is a fresh zval.
    let done = unsafe {
        php_json_decode_ex(&raw mut value, text.as_bytes().as_ptr().cast(), text.len(), OBJECT_AS_ARRAY, MAX_DECODED_DEPTH)
    };
    (done == 0).then_some(value)
}
