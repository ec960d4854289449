use std::fmt;

/// Between code and detail in the text of a deserialiser's error.
const MARK: char = '\u{1f}';

/// A value from outside that does not fit its type, with the code that a client may act on.
///
/// serde knows errors as text only. [`Invalid::into_serde`] therefore packs the code into that text, and
/// [`Invalid::unpack`] takes it out again where an answer is made of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invalid {
    /// Stable, `snake_case`: `out_of_range`.
    pub code: &'static str,
    /// A sentence for people. It never repeats the value.
    pub detail: String,
}

impl Invalid {
    /// `detail` says what would fit.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            code,
            detail: detail.into(),
        }
    }

    /// For use inside `Deserialize`.
    pub fn into_serde<E: serde::de::Error>(self) -> E {
        E::custom(format_args!("{}{MARK}{}", self.code, self.detail))
    }

    /// Code and detail of an error text that [`Invalid::into_serde`] made; `None` for any other.
    pub fn unpack(text: &str) -> Option<(&str, &str)> {
        // What a client made up itself, such as the name of an unknown field, may hold the mark too.
        let is_code = |code: &str| {
            code.bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        text.split_once(MARK).filter(|(code, _)| is_code(code))
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl std::error::Error for Invalid {}
