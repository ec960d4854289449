use std::fmt;

use aws_lc_rs::{digest, hmac};
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use base64::engine::{DecodePaddingMode, Engine};
use zeroize::Zeroizing;

use super::{number, parts};

/// What bcrypt looks at.
const MAX_BYTES: usize = 72;
/// Letters of a salt.
const SALT_LETTERS: usize = 22;
/// Bytes of a hash: the 24th is never stored.
const HASH_BYTES: usize = 23;

/// Its own alphabet; the last letter of a salt may carry bits that nobody reads.
const LETTERS: GeneralPurpose = GeneralPurpose::new(
    &alphabet::BCRYPT,
    GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// bcrypt of a password, or of its SHA-256.
#[derive(Debug, Clone)]
pub(in crate::password) struct Bcrypt {
    cost: u32,
    salt: [u8; 16],
    input: Input,
    /// Whether only the first 72 bytes of a longer password count.
    truncates: bool,
}

/// What bcrypt gets to see.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Input {
    Password,
    /// Django.
    HexSha256,
    /// passlib's first way.
    Base64Sha256,
    /// passlib's second way; the key is the text of the salt.
    Base64Hmac(String),
}

impl Bcrypt {
    pub(in crate::password) fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        if let Some(rest) = stored.strip_prefix("$bcrypt-sha256$") {
            return Self::passlib(rest);
        }
        let (input, plain) = match stored.split_once("$$") {
            Some(("bcrypt", rest)) => (Input::Password, rest),
            Some(("bcrypt_sha256", rest)) => (Input::HexSha256, rest),
            Some(_) => return None,
            None => (Input::Password, stored.strip_prefix('$')?),
        };
        let [ident, cost, rest] = parts(plain)?;
        let known = matches!(ident, "2a" | "2b" | "2y") && cost.len() == 2;
        let cost = Some(cost.strip_prefix('0').unwrap_or(cost)).filter(|_| known)?;
        let (salt, hash) = rest.split_at_checked(SALT_LETTERS)?;
        Self::new(cost, salt, hash, input)
    }

    /// `v=2,t=2b,r=12$salt$hash`, or `2b,12$salt$hash`.
    fn passlib(text: &str) -> Option<(Self, Vec<u8>)> {
        let [cost, salt, hash] = parts(text)?;
        let (cost, input) = match cost.strip_prefix("v=2,t=2b,r=") {
            Some(cost) => (cost, Input::Base64Hmac(salt.to_owned())),
            None => {
                let cost = cost
                    .strip_prefix("2b,")
                    .or_else(|| cost.strip_prefix("2a,"))?;
                (cost, Input::Base64Sha256)
            }
        };
        Self::new(cost, salt, hash, input)
    }

    fn new(cost: &str, salt: &str, hash: &str, input: Input) -> Option<(Self, Vec<u8>)> {
        let cost = number(cost, 4..=15)?;
        let salt = LETTERS.decode(salt).ok()?.try_into().ok()?;
        let hash = LETTERS.decode(hash).ok()?;
        let truncates = false;
        let known = Self {
            cost,
            salt,
            input,
            truncates,
        };
        (hash.len() == HASH_BYTES).then_some((known, hash))
    }

    /// Whether the bytes of a password behind the 72nd are looked at by nobody, instead of refused.
    pub(in crate::password) const fn truncating(mut self, truncates: bool) -> Self {
        self.truncates = truncates;
        self
    }

    /// The hash; of no length, which is nobody's, for a password that bcrypt does not see whole. At full cost.
    pub(in crate::password) fn derive(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let seen = self.seen(password);
        // The key goes round and round: with a NUL of its own, "a\0a" would be "a".
        let whole = !seen.contains(&0) && (self.truncates || seen.len() <= MAX_BYTES);
        let mut key = Zeroizing::new(seen.to_vec());
        key.push(0);
        key.truncate(MAX_BYTES);
        let mut hash = Zeroizing::new(bcrypt::bcrypt(self.cost, self.salt, &key).to_vec());
        hash.truncate(if whole { HASH_BYTES } else { 0 });
        hash
    }

    fn seen(&self, password: &[u8]) -> Zeroizing<Vec<u8>> {
        let sha256 = |bytes| digest::digest(&digest::SHA256, bytes);
        Zeroizing::new(match &self.input {
            Input::Password => password.to_vec(),
            Input::HexSha256 => {
                let digest = sha256(password);
                let hex = |byte: &u8| {
                    [byte >> 4, byte & 15].map(|half| b"0123456789abcdef"[usize::from(half)])
                };
                digest.as_ref().iter().flat_map(hex).collect()
            }
            Input::Base64Sha256 => STANDARD.encode(sha256(password)).into_bytes(),
            Input::Base64Hmac(salt) => {
                let key = hmac::Key::new(hmac::HMAC_SHA256, salt.as_bytes());
                STANDARD.encode(hmac::sign(&key, password)).into_bytes()
            }
        })
    }
}

impl fmt::Display for Bcrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "bcrypt {}", self.cost)
    }
}
