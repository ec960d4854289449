//! Access tokens: signed claims that are checked without a database.
//!
//! jsonwebtoken signs and checks signatures, nothing else: its claim checks are lenient and read the system clock.

mod claims;
mod header;
mod verifier;

pub use claims::{AccessToken, Claims, Issuer, NewToken};
pub use verifier::{Rejected, Verifier, mint};

/// How far the clocks of two machines may differ, seconds.
pub const LEEWAY: i64 = 5;
/// The longest life of a token that is accepted, seconds.
pub const MAX_LIFE: i64 = 3_600;
/// The longest token that is looked at, bytes.
pub const MAX_BYTES: usize = 8 * 1_024;

#[cfg(test)]
mod tests;
