use std::fmt;

use cgcg_core::Invalid;
use serde::Serialize;
use serde::de::{DeserializeOwned, IgnoredAny};

/// JSON text, kept byte for byte. Its `Debug` shows the size alone: a payload is data from outside.
#[derive(Clone, PartialEq, Eq)]
pub struct Payload(String);

impl Payload {
    /// Of any value that JSON can write.
    ///
    /// # Errors
    /// `payload_invalid`, as for a map whose keys are no texts.
    pub fn of(value: &(impl Serialize + ?Sized)) -> Result<Self, Invalid> {
        serde_json::to_string(value)
            .map(Self)
            .map_err(|_| Invalid::new("payload_invalid", "expected what JSON can write"))
    }

    /// Takes a text as it is, if it is JSON, at most 128 levels deep.
    ///
    /// # Errors
    /// `payload_invalid`.
    pub fn parse(text: String) -> Result<Self, Invalid> {
        match serde_json::from_str::<IgnoredAny>(&text) {
            Ok(_) if depth(&text) <= DEPTH => Ok(Self(text)),
            Ok(_) => Err(Invalid::new(
                "payload_invalid",
                "expected at most 128 levels",
            )),
            Err(_) => Err(Invalid::new("payload_invalid", "expected JSON")),
        }
    }

    /// What was stored.
    pub(crate) const fn stored(text: String) -> Self {
        Self(text)
    }

    /// Reads it.
    ///
    /// # Errors
    /// Where it does not fit the type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.0)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn into_string(self) -> String {
        self.0
    }
}

/// Levels of lists and objects. What is skipped while it is read has no limit, what is read into a type has this one.
const DEPTH: usize = 128;

/// How deep lists and objects stand in each other, in a text that is JSON.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}
