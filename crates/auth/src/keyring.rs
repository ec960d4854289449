//! The keys that sign access tokens, and those that check them. In memory only: who stores and seals them is elsewhere.

mod key;
mod listed;

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use cgcg_core::Timestamp;
use serde_json::{Value, json};

pub use key::{PublicKey, SigningKey};
pub use listed::{KeyState, ListedKey};

/// The one algorithm of our tokens, as it stands in header and JWK (RFC 8037).
pub const ALGORITHM: &str = "EdDSA";
/// How long verifiers may keep the JWKS. A key is published at least that long before it signs.
pub const JWKS_MAX_AGE: Duration = Duration::from_secs(3_600);

/// A key that checks tokens, and until when.
#[derive(Debug, Clone)]
pub struct Published {
    /// The key.
    pub key: PublicKey,
    /// From then on its tokens are refused and the JWKS is without it; `None` for the active and the next key.
    pub until: Option<Timestamp>,
}

/// The keys of one moment: who signs, and who is published.
#[derive(Debug)]
pub struct Keys {
    active: SigningKey,
    published: BTreeMap<String, Published>,
}

impl Keys {
    /// `active` signs and is published; `others` are the next key and the retired ones.
    pub fn new(active: SigningKey, others: impl IntoIterator<Item = Published>) -> Self {
        let own = Published {
            key: active.public().clone(),
            until: None,
        };
        // The active one last: whatever else is said about it, it stays.
        let published = others.into_iter().chain([own]);
        Self {
            published: published
                .map(|one| (one.key.kid().to_owned(), one))
                .collect(),
            active,
        }
    }

    /// The key that signs.
    pub const fn active(&self) -> &SigningKey {
        &self.active
    }

    /// The key of that name, while it is published.
    pub fn find(&self, kid: &str, now: Timestamp) -> Option<&PublicKey> {
        let found = self
            .published
            .get(kid)
            .filter(|one| one.until.is_none_or(|until| now < until));
        found.map(|one| &one.key)
    }

    /// Whether every key that `before` publishes at `now` is still here.
    pub(crate) fn hold_all_of(&self, before: &Self, now: Timestamp) -> bool {
        let mut names = before.published.keys();
        names.all(|kid| before.find(kid, now).is_none() || self.find(kid, now).is_some())
    }

    /// What `/.well-known/jwks.json` answers.
    pub fn jwks(&self, now: Timestamp) -> Value {
        let live = self
            .published
            .values()
            .filter(|one| one.until.is_none_or(|until| now < until));
        json!({ "keys": live.map(|one| one.key.jwk()).collect::<Vec<_>>() })
    }
}

/// The keys that are in force, swapped whole. A cheap clone: all clones see a swap at once.
///
/// Nothing here does I/O, so a token with an unknown `kid` costs no read.
#[derive(Debug, Clone)]
pub struct KeyRing(Arc<RwLock<Arc<Keys>>>);

impl KeyRing {
    /// Starts with `keys`.
    pub fn new(keys: Keys) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(keys))))
    }

    /// The keys of this moment.
    pub fn keys(&self) -> Arc<Keys> {
        self.0
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Puts `keys` in force.
    pub fn replace(&self, keys: Keys) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(keys);
    }

    /// Signs and checks once. Called at start, since jsonwebtoken panics at first use where no provider is installed.
    ///
    /// # Errors
    /// [`RingError::Provider`]: the program must call `jsonwebtoken::crypto::…::install_default` first.
    /// [`RingError::Sign`]: the key does not check what it signed.
    pub fn self_test(&self) -> Result<(), RingError> {
        let keys = self.keys();
        let round = || {
            let signature = keys.active.sign(b"self test")?;
            Ok(keys.active.public().verify(b"self test", &signature)
                && !keys.active.public().verify(b"other", &signature))
        };
        match catch_unwind(AssertUnwindSafe(round)) {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(RingError::Sign),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(RingError::Provider),
        }
    }
}

/// Why a key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RingError {
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    Chance,
    /// Not an Ed25519 key in the expected form.
    #[error("not an Ed25519 key")]
    Key,
    /// The key signs nothing, or what it signs does not check.
    #[error("the signing key does not work")]
    Sign,
    /// The program chose no crypto for jsonwebtoken.
    #[error("no crypto provider of jsonwebtoken is installed; call install_default() at start")]
    Provider,
}

#[cfg(test)]
pub(crate) mod tests;
