use std::collections::BTreeSet;

use cgcg_core::{Invalid, Secret};
use unicode_normalization::UnicodeNormalization;

use super::blocklist::Blocklist;
use super::owner::Owner;

/// The longest password, code points after normalisation.
pub const MAX_CHARS: usize = 128;
/// The longest password, bytes of UTF-8 after normalisation.
pub const MAX_BYTES: usize = 512;
/// Normalisation makes a text at most three times shorter, so nothing longer can fit.
const MAX_RAW_BYTES: usize = 4 * MAX_BYTES;
/// Fewer different characters make no password, however often they are typed.
const MIN_DIFFERENT: usize = 4;

/// A password in Unicode normalisation form C: what a keyboard composed and what it did not are one password.
#[derive(Debug, Clone)]
pub struct Normal(Secret<String>);

impl Normal {
    /// Normalises, and checks nothing: a wrong password may have any length.
    pub(super) fn of(password: &Secret<String>) -> Self {
        let raw = password.expose();
        // Room for the longest outcome, so that no copy is left behind by growing.
        let mut normal = String::with_capacity(raw.len().saturating_mul(3));
        normal.extend(raw.nfc());
        Self(normal.into())
    }

    pub(super) const fn text(&self) -> &Secret<String> {
        &self.0
    }
}

/// Which passwords may be set: long ones that nobody guesses first (NIST SP 800-63B). No composition rules.
#[derive(Debug, Clone)]
pub struct Policy {
    min: usize,
    blocklist: Blocklist,
    host: Owner,
}

impl Policy {
    /// `min` is the shortest, code points: 8 to 64. `blocklist` is refused, and so is what is made of `host`.
    pub const fn new(min: usize, blocklist: Blocklist, host: Owner) -> Self {
        Self {
            min,
            blocklist,
            host,
        }
    }

    /// A password that `owner` may set. Any letter is welcome, NUL too: a password is never stored as text.
    ///
    /// # Errors
    /// `password_too_short`, `password_too_long`, `password_too_common`.
    pub fn check(&self, password: &Secret<String>, owner: &Owner) -> Result<Normal, Invalid> {
        let normal = Self::admit(password)?;
        let text = normal.0.expose();
        if text.chars().count() < self.min {
            return Err(Invalid::new(
                "password_too_short",
                format!("expected at least {} characters", self.min),
            ));
        }
        let few = text.chars().collect::<BTreeSet<_>>().len() < MIN_DIFFERENT;
        let named = self.host.is_named(text) || owner.is_named(text);
        if few || named || self.blocklist.contains(text) {
            return Err(Invalid::new(
                "password_too_common",
                "expected no common password, no name with something added, and 4 different characters",
            ));
        }
        Ok(normal)
    }

    /// A password that somebody may try: one that is too long can be nobody's, and is refused before any read.
    ///
    /// # Errors
    /// `password_too_long`.
    pub fn admit(password: &Secret<String>) -> Result<Normal, Invalid> {
        let too_long = || {
            let detail = format!("expected at most {MAX_CHARS} characters and {MAX_BYTES} bytes");
            Invalid::new("password_too_long", detail)
        };
        if password.expose().len() > MAX_RAW_BYTES {
            return Err(too_long());
        }
        let normal = Normal::of(password);
        let text = normal.0.expose();
        if text.len() > MAX_BYTES || text.chars().count() > MAX_CHARS {
            return Err(too_long());
        }
        Ok(normal)
    }

    /// All that is wrong, as (key, what to do).
    pub fn validate(min: usize) -> Vec<(&'static str, String)> {
        match min {
            8..=64 => Vec::new(),
            _ => vec![("min", "expected 8 to 64".to_owned())],
        }
    }
}
