//! Defines what an event may be called.

use thiserror::Error;

/// The longest name of an event, in bytes.
pub const MAX_NAME_LENGTH: usize = 255;

/// Why a name is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum NameError {
    /// The name is ''.
    #[error("an event's name is empty: 1 to {MAX_NAME_LENGTH} bytes of UTF-8 are allowed")]
    Empty,
    /// The name is '0' or '*', which EventManagers treat specially.
    #[error("an event can't be named '{0}', which an EventManager treats specially ('', '0' and '*' are reserved)")]
    Reserved(&'static str),
    /// The name is too long.
    #[error("an event's name has {0} bytes: 1 to {MAX_NAME_LENGTH} bytes of UTF-8 are allowed")]
    TooLong(usize),
    /// The name is not UTF-8.
    #[error("an event's name is not valid UTF-8 at byte {0}: 1 to {MAX_NAME_LENGTH} bytes of UTF-8 are allowed")]
    NotUtf8(usize),
}

/// Checks the bytes of an event's name: 1 to 255 bytes of UTF-8, not '', '0' or '*'. Returns it as text.
pub fn check_name(name: &[u8]) -> Result<&str, NameError> {
    match name {
        b"" => return Err(NameError::Empty),
        b"0" => return Err(NameError::Reserved("0")),
        b"*" => return Err(NameError::Reserved("*")),
        _ => {}
    }
    if name.len() > MAX_NAME_LENGTH {
        return Err(NameError::TooLong(name.len()));
    }
    std::str::from_utf8(name).map_err(|error| NameError::NotUtf8(error.valid_up_to()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accepts() {
        for name in ["a", "1", "00", "**", "account.*", "account.created", "größe", " ", "a\0b"] {
            assert_eq!(check_name(name.as_bytes()), Ok(name));
        }
        assert!(check_name(&[b'a'; 255]).is_ok());
    }

    #[test]
    fn refuses() {
        assert_eq!(check_name(b""), Err(NameError::Empty));
        assert_eq!(check_name(b"0"), Err(NameError::Reserved("0")));
        assert_eq!(check_name(b"*"), Err(NameError::Reserved("*")));
        assert_eq!(check_name(&[b'a'; 256]), Err(NameError::TooLong(256)));
        assert_eq!(check_name(b"ab\xff"), Err(NameError::NotUtf8(2)));
    }

    #[test]
    fn messages_say_the_limit() {
        assert!(NameError::TooLong(256).to_string().contains("256 bytes: 1 to 255 bytes"));
        assert!(NameError::Empty.to_string().contains("1 to 255 bytes"));
        assert!(NameError::Reserved("0").to_string().contains("'0'"));
    }
}
