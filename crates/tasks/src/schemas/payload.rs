use std::fmt;

use cgcg_core::Invalid;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

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

    /// Takes a text as it is, if it is JSON that any parser reads: at most 127 levels deep, no half surrogate pairs, no
    /// numbers beyond those of IEEE 754. One that some worker cannot read would take all with it that come in one answer.
    ///
    /// # Errors
    /// `payload_invalid`.
    pub fn parse(text: String) -> Result<Self, Invalid> {
        match serde_json::from_str::<Value>(&text) {
            Ok(_) => Ok(Self(text)),
            Err(_) => Err(Invalid::new(
                "payload_invalid",
                "expected JSON: at most 127 levels, whole surrogate pairs, numbers that fit 64 bits",
            )),
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

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.0.len())
    }
}
