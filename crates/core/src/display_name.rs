use std::str::FromStr;

use serde::{Deserialize, Deserializer};

use crate::Invalid;

/// A name for people: 1 to 100 code points, not only blanks, on one line.
///
/// Letters that turn the direction of what stands around them are refused, for a name is shown inside other text.
/// Joiners stay: scripts need them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DisplayName(String);

impl FromStr for DisplayName {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        if text.contains('\0') {
            return Err(Invalid::new(
                "text_invalid",
                "a text must not contain the character NUL",
            ));
        }
        let fits = (1..=100).contains(&text.chars().count()) && !text.trim().is_empty();
        if fits && !text.chars().any(breaks_out) {
            return Ok(Self(text.to_owned()));
        }
        let rule = "expected 1 to 100 characters on one line, without marks that turn the direction of writing";
        Err(Invalid::new("display_name_invalid", rule))
    }
}

/// Leaves the line, or the direction in which it is read (Unicode annex 9: embeddings, overrides, isolates).
fn breaks_out(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

impl DisplayName {
    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<DisplayName> for String {
    fn from(name: DisplayName) -> Self {
        name.0
    }
}

impl<'de> Deserialize<'de> for DisplayName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(Invalid::into_serde)
    }
}
