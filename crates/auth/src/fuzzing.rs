//! What the fuzz targets call: whatever reads input from outside, and what must hold whatever comes. No part of the API.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{FeatureKey, FeatureKeys, Id, KeyError, MasterKey, Span, Timestamp};

use crate::keyring::{KeyRing, Keys, RingError, SigningKey};
use crate::one_time::{OneTimeToken, Purpose};
use crate::refresh::RefreshToken;
use crate::token::{Issuer, NewToken, Verifier, mint};

const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// A verifier with one key, and a good token to spoil.
#[derive(Debug)]
pub struct Tokens {
    ring: KeyRing,
    verifier: Verifier,
    good: String,
}

impl Tokens {
    /// Fresh keys; the program has installed its crypto.
    pub fn new() -> Result<Self, RingError> {
        let ring = KeyRing::new(Keys::new(SigningKey::generate()?, []));
        let issuer = Issuer {
            iss: "https://api.example.org".to_owned(),
            aud: "https://api.example.org".to_owned(),
            ttl: Span::minutes(10),
        };
        let new = NewToken {
            user: Id::new(NOW),
            session: Id::new(NOW),
            logged_in_at: NOW,
            methods: vec!["pwd".to_owned()],
            epoch: 0,
            roles: Vec::new(),
            scope: None,
        };
        let good = mint(&ring, &issuer.claims(NOW, new))?;
        let verifier = Verifier::new(ring.clone(), issuer);
        Ok(Self {
            ring,
            verifier,
            good,
        })
    }

    /// A token that passes.
    pub fn good(&self) -> &str {
        &self.good
    }

    /// Whether it passes.
    pub fn passes(&self, token: &str) -> bool {
        self.verifier.verify(token, NOW).is_ok()
    }

    /// Any header over good claims, and any claims under a good header, with signatures that are right: what stands
    /// behind the signature is reached as well. Whether either passes.
    pub fn passes_signed(&self, part: &[u8]) -> Result<[bool; 2], RingError> {
        let mut parts = self.good.split('.');
        let (header, claims) = (parts.next(), parts.next());
        let part = URL_SAFE_NO_PAD.encode(part);
        let as_header = self.sign(&part, claims.unwrap_or_default())?;
        let as_claims = self.sign(header.unwrap_or_default(), &part)?;
        Ok([as_header, as_claims].map(|token| self.passes(&token)))
    }

    fn sign(&self, header: &str, claims: &str) -> Result<String, RingError> {
        let signed = format!("{header}.{claims}");
        let signature = self.ring.keys().active().sign(signed.as_bytes())?;
        Ok(format!("{signed}.{signature}"))
    }
}

/// Whether the text passes as a refresh token of a session whose key nobody knows.
pub fn refresh_passes(keys: &FeatureKeys, text: &str) -> bool {
    RefreshToken::parse(text).is_some_and(|token| token.is_of(keys, Some(&[7; 16])))
}

/// Whether a refresh token of this session and generation reads as it was written.
pub fn refresh_survives(keys: &FeatureKeys, session: [u8; 16], generation: i64) -> bool {
    let session = Id::from_uuid(uuid::Uuid::from_bytes(session));
    let text = RefreshToken::write(keys, &[7; 16], session, generation);
    let read = RefreshToken::parse(text.expose());
    read.is_some_and(|read| {
        let same = (read.session, read.generation) == (session, generation);
        same && read.is_of(keys, Some(&[7; 16]))
    })
}

/// Whether the text passes as a one-time token of any purpose.
pub fn one_time_passes(keys: &FeatureKeys, text: &str) -> bool {
    let purposes = [
        Purpose::Setup,
        Purpose::Verify,
        Purpose::Reset,
        Purpose::SetPassword,
        Purpose::EmailChange,
    ];
    purposes.into_iter().any(|purpose| {
        let token = OneTimeToken::parse(text, purpose);
        token.is_some_and(|token| token.is_of(keys, Some(&[7; 16])))
    })
}

/// Whether the text reads as an API key.
pub fn api_key_reads(text: &str) -> bool {
    crate::api_key::reads_well(text)
}

/// A fresh API key.
pub fn api_key() -> Result<String, KeyError> {
    Ok(crate::api_key::generate()?.expose().clone())
}

/// Whether the text reads as a stored hash.
pub fn hash_reads(stored: &str) -> bool {
    crate::password::reads(stored)
}

/// The parameters of the form of `/auth/token`, where it reads well.
pub fn form(body: &[u8]) -> Option<BTreeMap<String, String>> {
    crate::router::parameters(body)
}

/// Keys that nobody knows.
pub fn keys() -> Result<FeatureKeys, KeyError> {
    let current: FeatureKey = MasterKey::generate()?.derive("fuzzing")?;
    Ok(FeatureKeys {
        current,
        previous: None,
    })
}
