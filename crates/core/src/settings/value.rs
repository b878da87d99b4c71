//! Provides the checks of single values: numbers, seconds, sizes, modes, words, paths.

use super::error::SettingError;
use super::reader::Field;
use crate::nearest::nearest;
use serde_json::Value;
use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

impl<'a> Field<'a> {
    /// true or false.
    pub fn boolean(self) -> Result<bool, SettingError> {
        self.value.as_bool().ok_or_else(|| self.refuse("true or false"))
    }

    /// An integer within a range.
    pub fn integer<T>(self, range: RangeInclusive<T>) -> Result<T, SettingError>
    where
        T: TryFrom<u64> + PartialOrd + Display,
    {
        self.value
            .as_u64()
            .and_then(|number| T::try_from(number).ok())
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.refuse(format!("an integer from {} to {}", range.start(), range.end())))
    }

    /// A number within a range; integers are taken for floats.
    pub fn number(self, range: RangeInclusive<f64>) -> Result<f64, SettingError> {
        self.value
            .as_f64()
            .filter(|number| range.contains(number))
            .ok_or_else(|| self.refuse(format!("a number from {} to {}", range.start(), range.end())))
    }

    /// Seconds within a range, as integer or float.
    pub fn seconds(self, range: RangeInclusive<f64>) -> Result<Duration, SettingError> {
        self.value
            .as_f64()
            .filter(|seconds| range.contains(seconds))
            .and_then(|seconds| Duration::try_from_secs_f64(seconds).ok())
            .ok_or_else(|| self.refuse(format!("seconds from {} to {}, as integer or float", range.start(), range.end())))
    }

    /// A number of bytes within a range, as integer or as a string such as "128M" (K, M, G: powers of 1024, as in php.ini).
    pub fn size(self, range: RangeInclusive<u64>) -> Result<u64, SettingError> {
        let bytes = match self.value {
            Value::String(text) => parse_size(text),
            value => value.as_u64(),
        };
        bytes.filter(|bytes| range.contains(bytes)).ok_or_else(|| {
            self.refuse(format!(
                "a number of bytes from {} to {}, as integer or as string such as \"128M\" or \"1G\"",
                range.start(),
                range.end()
            ))
        })
    }

    /// A string of 1 to `most` bytes.
    pub fn text(self, most: usize) -> Result<&'a str, SettingError> {
        self.value
            .as_str()
            .filter(|text| !text.is_empty() && text.len() <= most)
            .ok_or_else(|| self.refuse_plainly(format!("a string of 1 to {most} bytes")))
    }

    /// One of some words.
    pub fn word<T: Copy>(self, words: &[(&'static str, T)]) -> Result<T, SettingError> {
        let text = self.value.as_str();
        if let Some((_, meaning)) = words.iter().find(|(word, _)| Some(*word) == text) {
            return Ok(*meaning);
        }
        let allowed: Vec<_> = words.iter().map(|(word, _)| format!("'{word}'")).collect();
        let mut error = self.refuse_plainly(allowed.join(", "));
        if let SettingError::BadValue { nearest: hint, .. } = &mut error {
            *hint = text.and_then(|text| nearest(text, words.iter().map(|(word, _)| *word))).map(|word| format!("'{word}'"));
        }
        Err(error)
    }

    /// An absolute path; slashes at its end are dropped. A relative one would mean another place in each working directory, and
    /// web server and daemon have different ones.
    pub fn path(self) -> Result<PathBuf, SettingError> {
        let path = self
            .value
            .as_str()
            .filter(|text| text.starts_with('/') && !text.contains('\0'))
            .map(|text| text.trim_end_matches('/'))
            .filter(|text| !text.is_empty());
        path.map(PathBuf::from).ok_or_else(|| {
            self.refuse_plainly("an absolute path below / (for PHP: __DIR__ . '/...'), because web server and daemon have different working directories")
        })
    }

    /// A file mode: an integer (0700 in PHP's source, 448 in decimal) or a string of octal digits ("0700"), with no bit above
    /// `most` and every bit of `least`.
    pub fn mode(self, least: u32, most: u32) -> Result<u32, SettingError> {
        let mode = match self.value {
            Value::String(text) => u32::from_str_radix(text.strip_prefix("0o").unwrap_or(text), 8).ok(),
            value => value.as_u64().and_then(|mode| u32::try_from(mode).ok()),
        };
        mode.filter(|mode| mode & least == least && mode & !most == 0).ok_or_else(|| {
            let read = match mode {
                Some(mode) => format!("; this is {mode:#o}"),
                None => String::new(),
            };
            self.refuse_plainly(format!(
                "a file mode as octal integer or string, with at least 0{least:o} and at most 0{most:o}{read}"
            ))
        })
    }
}

fn parse_size(text: &str) -> Option<u64> {
    let (digits, unit) = match text.as_bytes().last()? {
        b'k' | b'K' => (&text[..text.len() - 1], 1 << 10),
        b'm' | b'M' => (&text[..text.len() - 1], 1 << 20),
        b'g' | b'G' => (&text[..text.len() - 1], 1 << 30),
        // A string of digits alone is refused as everywhere: a number is written without quotes.
        _ => return None,
    };
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn field(value: &Value) -> Field<'_> {
        Field { key: "a.b".to_owned(), value, secret: false }
    }

    #[test]
    fn integers() {
        assert_eq!(field(&json!(5)).integer(1..=10u16), Ok(5));
        for bad in [json!(0), json!(11), json!(-1), json!(5.0), json!(70000), json!(true), json!([5])] {
            let error = field(&bad).integer(1..=10u16).unwrap_err().to_string();
            assert_eq!(error, format!("a.b: {bad} is not allowed: give an integer from 1 to 10"));
        }
        let error = field(&json!("5")).integer(1..=10u16).unwrap_err().to_string();
        assert!(error.contains("write the number without quotes"), "{error}");
    }

    #[test]
    fn seconds_take_integers_and_floats() {
        assert_eq!(field(&json!(2)).seconds(0.0..=10.0), Ok(Duration::from_secs(2)));
        assert_eq!(field(&json!(0.25)).seconds(0.0..=10.0), Ok(Duration::from_millis(250)));
        for bad in [json!(-1), json!(10.5), json!("2"), json!(null)] {
            assert!(field(&bad).seconds(0.0..=10.0).is_err(), "{bad}");
        }
    }

    #[test]
    fn sizes_take_units() {
        let all = 0..=u64::MAX;
        for (value, bytes) in [(json!(1000), 1000), (json!("128M"), 128 << 20), (json!("1g"), 1 << 30), (json!("64K"), 65536)] {
            assert_eq!(field(&value).size(all.clone()), Ok(bytes));
        }
        for bad in ["", "M", "128", "1.5G", "-1M", "+1M", "128MB", "99999999999G", "é"] {
            assert!(field(&json!(bad)).size(all.clone()).is_err(), "{bad}");
        }
        assert!(field(&json!("2G")).size(0..=1 << 30).is_err());
    }

    #[test]
    fn modes_are_octal() {
        for value in [json!(448), json!("0700"), json!("700"), json!("0o700")] {
            assert_eq!(field(&value).mode(0o700, 0o7777), Ok(0o700));
        }
        // 700 without the leading zero, PHP's classic.
        let error = field(&json!(700)).mode(0o700, 0o7777).unwrap_err().to_string();
        assert_eq!(
            error,
            "a.b: 700 is not allowed: give a file mode as octal integer or string, with at least 0700 and at most 07777; this is 0o1274"
        );
        for bad in [json!("rwx"), json!(-1), json!(0o10700), json!("0900")] {
            assert!(field(&bad).mode(0o700, 0o7777).is_err(), "{bad}");
        }
    }

    #[test]
    fn words_have_a_nearest_one() {
        let words = [("keep", 1), ("drop", 2)];
        assert_eq!(field(&json!("drop")).word(&words), Ok(2));
        assert_eq!(
            field(&json!("dorp")).word(&words).unwrap_err().to_string(),
            "a.b: \"dorp\" is not allowed: give 'keep', 'drop'; did you mean 'drop'?"
        );
        assert!(field(&json!(1)).word(&words).is_err());
    }

    #[test]
    fn paths_are_absolute() {
        assert_eq!(field(&json!("/var/x/")).path(), Ok(PathBuf::from("/var/x")));
        for bad in [json!("data"), json!("/"), json!(""), json!("/a\u{0}b"), json!(1)] {
            assert!(field(&bad).path().is_err(), "{bad}");
        }
    }
}
