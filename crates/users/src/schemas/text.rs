use std::str::FromStr;

use cgcg_core::Invalid;
use serde::{Deserialize, Deserializer};

/// How an e-mail or a user name begins, upper and lower case alike: at most 254 bytes. Empty begins all.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NamePrefix(String);

impl FromStr for NamePrefix {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        no_nul(text)?;
        if text.len() <= 254 && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(Invalid::new(
            "out_of_range",
            "expected at most 254 bytes without control characters",
        ))
    }
}

/// PostgreSQL cannot store it, in text or in JSON. On SQLite it is refused alike.
pub(super) fn no_nul(text: &str) -> Result<(), Invalid> {
    if text.contains('\0') {
        return Err(Invalid::new(
            "text_invalid",
            "a text must not contain the character NUL",
        ));
    }
    Ok(())
}

impl NamePrefix {
    /// As it is compared.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<'de> Deserialize<'de> for NamePrefix {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(Invalid::into_serde)
    }
}
