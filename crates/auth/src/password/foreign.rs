//! Hashes that others made: passlib (also that of `FastAPI` applications) and Django. We check them and make none.
//!
//! Source of the forms: passlib 1.7.4, Django 5.2. Every number is bounded before it is obeyed, and has one spelling.

mod bcrypt;
mod pbkdf2;
mod scrypt;

pub(super) use bcrypt::Bcrypt;
pub(super) use pbkdf2::Pbkdf2;
pub(super) use scrypt::Scrypt;

use std::ops::RangeInclusive;

use base64::Engine;

/// A decimal number in its one spelling, if it is within `range`.
fn number(text: &str, range: RangeInclusive<u32>) -> Option<u32> {
    let canonical = !text.starts_with('0')
        && text.len() <= 10
        && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|_| canonical)?;
    range.contains(&number).then_some(number)
}

/// Base64 of as many bytes as `range` says.
fn bytes(text: &str, engine: &impl Engine, range: RangeInclusive<usize>) -> Option<Vec<u8>> {
    // 88 letters are 64 bytes with padding.
    let text = Some(text).filter(|text| text.len() <= 88)?;
    let bytes = engine.decode(text).ok()?;
    range.contains(&bytes.len()).then_some(bytes)
}

/// `text`, parted by `$`, if there are exactly so many parts.
fn parts<const N: usize>(text: &str) -> Option<[&str; N]> {
    let parts: Vec<&str> = text.splitn(N + 1, '$').collect();
    parts.try_into().ok()
}
