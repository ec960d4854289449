use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::{
    Authenticator, BoxFuture, Clock, Credential, Denied, Grants, Id, Principal, Proof,
    ServiceAccount, Subject, Timestamp,
};

/// One token of the settings. Only its hash is kept there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaticToken {
    /// Who uses it; other features store it as owner. Keep it when the token changes.
    pub id: Id<ServiceAccount>,
    /// For people.
    pub name: String,
    /// SHA-256 of the token, 64 hexadecimal digits.
    pub sha256: String,
    /// What it may do; `*` is everything.
    pub scopes: Vec<String>,
    /// Not after; never ends where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
}

/// Why a list of static tokens is of no use.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StaticTokensError {
    /// Somebody pasted the token, or part of a hash.
    #[error(
        "token {0:?}: sha256 is not 64 hexadecimal digits; `cgcg admin token` prints a fresh block"
    )]
    NotAHash(String),
    /// Two entries share an id or a hash.
    #[error("token {0:?}: its id or sha256 stands there twice")]
    Repeated(String),
}

/// Checks bearer tokens against hashes from the settings: for builds and hosts without auth.
#[derive(Clone)]
pub struct StaticTokens {
    tokens: Arc<[Known]>,
    clock: Arc<dyn Clock>,
}

struct Known {
    hash: [u8; 32],
    principal: Arc<Principal>,
}

impl StaticTokens {
    /// Fails where an entry is not a hash, or stands there twice.
    pub fn new(tokens: &[StaticToken], clock: Arc<dyn Clock>) -> Result<Self, StaticTokensError> {
        let mut known: Vec<Known> = Vec::with_capacity(tokens.len());
        for token in tokens {
            let hash = hash_of(&token.sha256)
                .ok_or_else(|| StaticTokensError::NotAHash(token.name.clone()))?;
            let subject = Subject::Service(token.id);
            if known
                .iter()
                .any(|other| other.hash == hash || other.principal.subject == subject)
            {
                return Err(StaticTokensError::Repeated(token.name.clone()));
            }
            let principal = Principal {
                subject,
                proof: Proof::StaticToken,
                grants: token.scopes.iter().map(String::as_str).collect::<Grants>(),
                valid_until: token.expires_at.unwrap_or(Timestamp::MAX),
                logged_in_at: None,
                factors: 0,
                actor: None,
                tenant: None,
            };
            known.push(Known {
                hash,
                principal: Arc::new(principal),
            });
        }
        Ok(Self {
            tokens: known.into(),
            clock,
        })
    }

    fn check(&self, credential: Credential<'_>) -> Result<Arc<Principal>, Denied> {
        let Credential::Bearer(token) = credential else {
            return Err(Denied::Invalid);
        };
        let shown = Sha256::digest(token.as_bytes());
        // Each entry is compared, so the time does not tell which one it was.
        let found = self.tokens.iter().fold(None, |found, known| {
            if known.hash.ct_eq(&shown).into() {
                Some(known)
            } else {
                found
            }
        });
        let principal = &found.ok_or(Denied::Invalid)?.principal;
        if principal.valid_until <= self.clock.now() {
            return Err(Denied::Expired);
        }
        Ok(principal.clone())
    }
}

impl Authenticator for StaticTokens {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Arc<Principal>, Denied>> {
        let checked = self.check(credential);
        Box::pin(async { checked })
    }

    fn still_valid<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool> {
        let known = self
            .tokens
            .iter()
            .any(|known| *known.principal == *principal);
        let valid = known && principal.valid_until > self.clock.now();
        Box::pin(async move { valid })
    }
}

fn hash_of(hex: &str) -> Option<[u8; 32]> {
    let digits = hex.as_bytes();
    let plain = digits.len() == 64 && digits.iter().all(u8::is_ascii_hexdigit);
    let mut hash = [0; 32];
    for (byte, pair) in hash
        .iter_mut()
        .zip(digits.chunks_exact(2))
        .filter(|_| plain)
    {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    plain.then_some(hash)
}
