use std::str::FromStr;

use cgcg_core::Invalid;
use serde::{Deserialize, Deserializer};

/// A language as in BCP 47: `de`, `de-AT`, `zh-Hant-TW`. At most 35 bytes. Not looked up in any register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(String);

impl FromStr for Locale {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        no_nul(text)?;
        let (language, rest) = text
            .split_once('-')
            .map_or((text, None), |(first, rest)| (first, Some(rest)));
        let language = (2..=8).contains(&language.len())
            && language.bytes().all(|byte| byte.is_ascii_alphabetic());
        let subtag = |part: &str| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        };
        if text.len() <= 35 && language && rest.is_none_or(|rest| rest.split('-').all(subtag)) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(
            "locale_invalid",
            "expected a language tag of at most 35 bytes: de, de-AT",
        ))
    }
}

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

macro_rules! text {
    ($($name:ident),+) => {$(
        impl $name {
            /// As it is compared and stored.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(Invalid::into_serde)
            }
        }
    )+};
}

text!(Locale, NamePrefix);
