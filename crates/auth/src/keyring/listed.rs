use std::fmt;

use cgcg_core::Timestamp;
use serde::Serialize;

/// A signing key as administrators see it: all but the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ListedKey {
    /// Its name in token headers and in the JWKS.
    pub kid: String,
    /// What it does.
    pub state: KeyState,
    /// Since when it is published.
    pub created_at: Timestamp,
    /// From when it signs, or signed.
    pub activate_at: Option<Timestamp>,
    /// Since when it signs no more.
    pub retire_at: Option<Timestamp>,
    /// From then on its tokens are refused.
    pub delete_at: Option<Timestamp>,
}

/// What a signing key does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum KeyState {
    /// Signs.
    Active,
    /// Published, so that verifiers know it before it signs.
    Next,
    /// Published until the last token that it signed has ended.
    Retired,
}

impl KeyState {
    /// As it is stored.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Next => "next",
            Self::Retired => "retired",
        }
    }
}

impl fmt::Display for KeyState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}
