use std::fmt;
use std::num::NonZeroU32;

use aws_lc_rs::pbkdf2::{PBKDF2_HMAC_SHA256, derive};
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::{bytes, number, parts};

const HASH_BYTES: usize = 32;
/// Five times what Django 5.2 does: some seconds.
const MAX_ROUNDS: u32 = 5_000_000;

/// PBKDF2 with HMAC-SHA-256.
#[derive(Debug, Clone)]
pub(in crate::password) struct Pbkdf2 {
    rounds: NonZeroU32,
    salt: Vec<u8>,
}

impl Pbkdf2 {
    /// passlib: `$pbkdf2-sha256$n$salt$hash`, base64 with `.` for `+`. Django: `pbkdf2_sha256$n$salt$hash`, where the
    /// salt is the text itself.
    pub(in crate::password) fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        let length = HASH_BYTES..=HASH_BYTES;
        let (rounds, salt, hash) = match stored.strip_prefix("$pbkdf2-sha256$") {
            Some(rest) => {
                let [rounds, salt, hash] = parts(rest)?;
                // A `+` is none of its letters; left as it is, one hash would have two spellings.
                let letters =
                    |text: &str| Some(text.replace('.', "+")).filter(|_| !text.contains('+'));
                let salt = bytes(&letters(salt)?, &STANDARD_NO_PAD, 1..=64)?;
                (
                    rounds,
                    salt,
                    bytes(&letters(hash)?, &STANDARD_NO_PAD, length)?,
                )
            }
            None => {
                let [rounds, salt, hash] = parts(stored.strip_prefix("pbkdf2_sha256$")?)?;
                let salt = Some(salt).filter(|salt| (1..=128).contains(&salt.len()))?;
                (
                    rounds,
                    salt.as_bytes().to_vec(),
                    bytes(hash, &STANDARD, length)?,
                )
            }
        };
        let rounds = NonZeroU32::new(number(rounds, 1..=MAX_ROUNDS)?)?;
        Some((Self { rounds, salt }, hash))
    }

    pub(in crate::password) fn derive(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let mut hash = Zeroizing::new(vec![0; HASH_BYTES]);
        derive(
            PBKDF2_HMAC_SHA256,
            self.rounds,
            &self.salt,
            password,
            &mut hash,
        );
        hash
    }
}

impl fmt::Display for Pbkdf2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "pbkdf2-sha256 {}", self.rounds)
    }
}
