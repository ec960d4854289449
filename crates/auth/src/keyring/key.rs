use std::fmt;

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::signature::{ED25519_PUBLIC_KEY_LEN, Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, crypto};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{ALGORITHM, RingError};

/// An Ed25519 key with its private part, which no `Debug` shows and which is wiped when dropped.
pub struct SigningKey {
    public: PublicKey,
    pkcs8: Zeroizing<Vec<u8>>,
    encoding: EncodingKey,
}

impl SigningKey {
    /// A fresh one.
    ///
    /// # Errors
    /// [`RingError::Chance`] where the system has no random bytes.
    pub fn generate() -> Result<Self, RingError> {
        let pair = Ed25519KeyPair::generate().map_err(|_| RingError::Chance)?;
        let document = pair.to_pkcs8().map_err(|_| RingError::Chance)?;
        Self::from_pkcs8(document.as_ref())
    }

    /// Takes what [`SigningKey::pkcs8`] gave: PKCS#8 in DER, version 1 or 2.
    ///
    /// # Errors
    /// [`RingError::Key`] for anything that is not an Ed25519 key.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, RingError> {
        let pair = Ed25519KeyPair::from_pkcs8(pkcs8).map_err(|_| RingError::Key)?;
        Ok(Self {
            public: PublicKey::from_bytes(pair.public_key().as_ref())?,
            pkcs8: Zeroizing::new(pkcs8.to_vec()),
            encoding: EncodingKey::from_ed_der(pkcs8),
        })
    }

    /// The private part, PKCS#8 in DER: to be sealed before it is stored.
    pub fn pkcs8(&self) -> &[u8] {
        &self.pkcs8
    }

    /// The part that everybody may know.
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The thumbprint of the public part; see [`PublicKey::kid`].
    pub fn kid(&self) -> &str {
        self.public.kid()
    }

    /// The signature of `message`, base64url without padding.
    ///
    /// # Errors
    /// [`RingError::Sign`].
    pub(crate) fn sign(&self, message: &[u8]) -> Result<String, RingError> {
        crypto::sign(message, &self.encoding, Algorithm::EdDSA).map_err(|_| RingError::Sign)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.kid())
    }
}

/// An Ed25519 key that checks signatures.
#[derive(Clone)]
pub struct PublicKey {
    kid: String,
    x: String,
    decoding: DecodingKey,
}

impl PublicKey {
    /// Takes the 32 bytes of RFC 8032.
    ///
    /// # Errors
    /// [`RingError::Key`] for any other number of bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, RingError> {
        if bytes.len() != ED25519_PUBLIC_KEY_LEN {
            return Err(RingError::Key);
        }
        let x = URL_SAFE_NO_PAD.encode(bytes);
        // RFC 7638 fixes members, order and blanks; RFC 8037 says which members.
        let canonical = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
        Ok(Self {
            kid: URL_SAFE_NO_PAD.encode(digest(&SHA256, canonical.as_bytes())),
            x,
            decoding: DecodingKey::from_ed_der(bytes),
        })
    }

    /// Takes what [`PublicKey::jwk`] gave.
    ///
    /// # Errors
    /// [`RingError::Key`] for another kind of key, or where `kid` is not its thumbprint.
    pub fn from_jwk(jwk: &Value) -> Result<Self, RingError> {
        let member = |name: &str| jwk.get(name).and_then(Value::as_str).ok_or(RingError::Key);
        if member("kty")? != "OKP" || member("crv")? != "Ed25519" {
            return Err(RingError::Key);
        }
        let bytes = URL_SAFE_NO_PAD
            .decode(member("x")?)
            .map_err(|_| RingError::Key)?;
        let key = Self::from_bytes(&bytes)?;
        if key.kid == member("kid")? {
            Ok(key)
        } else {
            Err(RingError::Key)
        }
    }

    /// The thumbprint of RFC 7638: 43 letters of base64url. It names the key in token headers.
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The key as in a JWKS (RFC 7517).
    pub fn jwk(&self) -> Value {
        json!({"kty": "OKP", "crv": "Ed25519", "x": self.x, "kid": self.kid, "use": "sig", "alg": ALGORITHM})
    }

    /// Whether `signature` (base64url) is this key's for `message`.
    pub(crate) fn verify(&self, message: &[u8], signature: &str) -> bool {
        crypto::verify(signature, message, &self.decoding, Algorithm::EdDSA).unwrap_or(false)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.kid)
    }
}
