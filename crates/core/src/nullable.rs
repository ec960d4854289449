//! A plain `Option` cannot tell an absent field from `null`: `#[serde(default, deserialize_with = "nullable::taken")]`.

use serde::{Deserialize, Deserializer};

use crate::Invalid;

/// Present, and `null` means something: absent is `None`, `null` is `Some(None)`.
///
/// # Errors
/// The value is of another type.
pub fn taken<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Present, and `null` is refused, by the code `null_not_allowed`: absent is `None`.
///
/// # Errors
/// It is `null`, or of another type.
pub fn refused<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let null = || {
        Invalid::new(
            "null_not_allowed",
            "this field cannot be cleared; leave it out",
        )
        .into_serde()
    };
    Option::deserialize(deserializer)?
        .map(Some)
        .ok_or_else(null)
}
