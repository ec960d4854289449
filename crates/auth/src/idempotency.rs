//! `Idempotency-Key` of a registration: draft-ietf-httpapi-idempotency-key-header.

use std::str::FromStr;

use zeroize::Zeroizing;

use crate::{AccountCreate, Error};

/// A name that a client gives to one request, so that it may send it again. 1 to 255 bytes of printable ASCII.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl FromStr for IdempotencyKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let fits =
            (1..=255).contains(&text.len()) && text.bytes().all(|byte| matches!(byte, 0x20..=0x7e));
        if fits {
            Ok(Self(text.to_owned()))
        } else {
            Err(Error::IdempotencyKeyInvalid)
        }
    }
}

impl IdempotencyKey {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

/// A key and what was asked with it, as they are stored: the body holds a password, so all of it goes through a MAC.
pub(crate) struct Once {
    pub(crate) key: [u8; 32],
    pub(crate) fingerprint: [u8; 32],
}

/// All fields of the body, each with its length before it: no two bodies read alike.
pub(crate) fn body(new: &AccountCreate) -> Zeroizing<Vec<u8>> {
    let fields = [
        Some(new.email.as_str()),
        Some(new.password.expose().as_str()),
        new.display_name.as_deref(),
        new.username.as_ref().map(|name| name.as_str()),
    ];
    let bytes = |field: &Option<&str>| field.map_or(0, str::len) + 9;
    let mut all = Zeroizing::new(Vec::with_capacity(fields.iter().map(bytes).sum()));
    for field in fields {
        all.push(u8::from(field.is_some()));
        let text = field.unwrap_or_default();
        all.extend_from_slice(&(text.len() as u64).to_be_bytes());
        all.extend_from_slice(text.as_bytes());
    }
    all
}
