//! Defines the keys that TCP beyond the loopback needs (ZeroMQ's CURVE).

use super::error::SettingError;
use super::reader::{Field, Reader};
use std::fmt;

/// `broker.curve`: the broker's key pair, each key as 40 characters of Z85.
#[derive(Clone, PartialEq, Eq)]
pub struct Curve {
    /// `public`: what clients and workers know the broker by.
    pub public: String,
    /// `secret`: needed where the broker runs, and only there.
    pub secret: Option<String>,
}

impl fmt::Debug for Curve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let secret = self.secret.as_ref().map(|_| "(not shown)");
        f.debug_struct("Curve").field("public", &self.public).field("secret", &secret).finish()
    }
}

impl Curve {
    /// Reads a `curve` map; an empty one is none.
    pub(super) fn read(outer: &mut Reader<'_>) -> Result<Option<Self>, SettingError> {
        let mut map = outer.secret_section("curve")?;
        let key = map.full_key("public");
        let public = map.optional("public", z85)?;
        let secret = map.optional("secret", z85)?;
        map.finish()?;
        match (public, secret) {
            (Some(public), secret) => Ok(Some(Self { public, secret })),
            (None, None) => Ok(None),
            (None, Some(_)) => Err(SettingError::Missing {
                key,
                why: "a secret key was given without its public one",
                set: "it to the public key of the pair (the README tells how to make CURVE keys)",
            }),
        }
    }
}

fn z85(field: Field<'_>) -> Result<String, SettingError> {
    let is_z85 = |byte: u8| byte.is_ascii_alphanumeric() || b".-:+=^!/*?&<>()[]{}@%$#".contains(&byte);
    field
        .value
        .as_str()
        .filter(|text| text.len() == 40 && text.bytes().all(is_z85))
        .map(str::to_owned)
        .ok_or_else(|| field.refuse_plainly("a CURVE key of 40 characters of Z85"))
}
