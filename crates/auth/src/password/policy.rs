use cgcg_core::{Invalid, Secret};
use unicode_normalization::UnicodeNormalization;

/// The longest password, code points after normalisation.
pub const MAX_CHARS: usize = 128;
/// The longest password, bytes of UTF-8 after normalisation.
pub const MAX_BYTES: usize = 512;
/// Normalisation makes a text at most three times shorter, so nothing longer can fit.
const MAX_RAW_BYTES: usize = 4 * MAX_BYTES;

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

    pub(super) fn as_bytes(&self) -> &[u8] {
        self.0.expose().as_bytes()
    }
}

/// Which passwords may be set. Only length is asked for (NIST SP 800-63B): no composition rules.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Policy {
    /// The shortest, code points: 8 to 64.
    pub min: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { min: 12 }
    }
}

impl Policy {
    /// A password that may be set. Any letter is welcome, NUL too: a password is never stored as text.
    ///
    /// # Errors
    /// `password_too_short`, `password_too_long`.
    pub fn check(&self, password: &Secret<String>) -> Result<Normal, Invalid> {
        let normal = Self::admit(password)?;
        let chars = normal.0.expose().chars().count();
        if chars < self.min {
            return Err(Invalid::new(
                "password_too_short",
                format!("expected at least {} characters", self.min),
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
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        match self.min {
            8..=64 => Vec::new(),
            _ => vec![("min", "expected 8 to 64".to_owned())],
        }
    }
}
