use std::str::FromStr;

use cgcg_core::Invalid;
use serde::{Deserialize, Deserializer};

/// A name for machines and for those who configure them: 2 to 64 of `a-z 0-9 _ . -`, a letter or digit first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// What something is for: at most 500 characters without control characters; may be empty.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct About(String);

impl FromStr for Name {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let first = text.bytes().next().is_some_and(fits);
        let rest = text
            .bytes()
            .all(|byte| fits(byte) || b"_.-".contains(&byte));
        if first && rest && (2..=64).contains(&text.len()) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(
            "name_invalid",
            "expected 2 to 64 of a-z 0-9 _ . -, a letter or a digit first",
        ))
    }
}

impl FromStr for About {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.chars().count() <= 500 && !text.chars().any(char::is_control) {
            return Ok(Self(text.to_owned()));
        }
        Err(Invalid::new(
            "about_invalid",
            "expected at most 500 characters on one line",
        ))
    }
}

macro_rules! text {
    ($($name:ident),+) => {$(
        impl $name {
            /// As it is stored.
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

text!(Name, About);
