use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::Invalid;

/// A language as in BCP 47: `de`, `de-AT`, `zh-Hant-TW`. At most 35 bytes. Not looked up in any register.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Locale(String);

impl FromStr for Locale {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('\0') {
            return Err(Invalid::new(
                "text_invalid",
                "a text must not contain the character NUL",
            ));
        }
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

impl Locale {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Locale> for String {
    fn from(locale: Locale) -> Self {
        locale.0
    }
}

impl<'de> Deserialize<'de> for Locale {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(Invalid::into_serde)
    }
}
