//! A plain `Option` cannot tell an absent field from `null`.

use cgcg_core::Invalid;
use serde::{Deserialize, Deserializer};

/// Present, and `null` means something.
pub(super) fn taken<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

/// Present, and `null` is refused.
pub(super) fn refused<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
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
