use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::Timestamp;

use super::header::Header;
use super::{Claims, Issuer, LEEWAY, MAX_BYTES, MAX_LIFE};
use crate::keyring::{ALGORITHM, KeyRing, RingError};

/// Checks access tokens without I/O. Whether session and account still stand is a question for the database.
#[derive(Debug, Clone)]
pub struct Verifier {
    ring: KeyRing,
    issuer: Issuer,
}

impl Verifier {
    /// Accepts what `issuer` signed with a key of `ring`.
    pub const fn new(ring: KeyRing, issuer: Issuer) -> Self {
        Self { ring, issuer }
    }

    /// The claims of a token that is good at `now`, give or take [`LEEWAY`] seconds.
    ///
    /// # Errors
    /// [`Rejected`]. For the client they are all the same, but for [`Rejected::Expired`], which it mends by a refresh.
    pub fn verify(&self, token: &str, now: Timestamp) -> Result<Claims, Rejected> {
        let parts = Parts::split(token).ok_or(Rejected::Malformed)?;
        let header = Header::parse(&parts.header).ok_or(Rejected::Header)?;
        if !header.is_access_token() {
            return Err(Rejected::Header);
        }
        let keys = self.ring.keys();
        let key = keys.find(&header.kid, now).ok_or(Rejected::UnknownKey)?;
        if header.alg != ALGORITHM {
            return Err(Rejected::Header);
        }
        if !key.verify(parts.signed.as_bytes(), parts.signature) {
            return Err(Rejected::Signature);
        }
        let claims = Claims::parse(&parts.claims).map_err(|_| Rejected::Claims)?;
        self.accept(claims, now.seconds())
    }

    fn accept(&self, claims: Claims, now: i64) -> Result<Claims, Rejected> {
        if claims.iss != self.issuer.iss {
            return Err(Rejected::Issuer);
        }
        if claims.aud != self.issuer.aud {
            return Err(Rejected::Audience);
        }
        // Saturating: a far-off time in a claim is a refusal, not an overflow.
        let latest_start = now.saturating_add(LEEWAY);
        if claims.nbf > latest_start || claims.iat > latest_start {
            return Err(Rejected::NotYet);
        }
        if claims.exp <= now.saturating_sub(LEEWAY) {
            return Err(Rejected::Expired);
        }
        let life = claims.exp.saturating_sub(claims.iat);
        if (1..=MAX_LIFE).contains(&life) {
            Ok(claims)
        } else {
            Err(Rejected::Life)
        }
    }
}

/// The token that says `claims`, signed by the active key of `ring`.
///
/// # Errors
/// [`RingError::Sign`].
pub fn mint(ring: &KeyRing, claims: &Claims) -> Result<String, RingError> {
    let keys = ring.keys();
    let key = keys.active();
    let header = serde_json::to_vec(&Header::new(key.kid())).map_err(|_| RingError::Sign)?;
    let claims = serde_json::to_vec(claims).map_err(|_| RingError::Sign)?;
    let mut token = URL_SAFE_NO_PAD.encode(header);
    token.push('.');
    URL_SAFE_NO_PAD.encode_string(claims, &mut token);
    let signature = key.sign(token.as_bytes())?;
    token.push('.');
    token.push_str(&signature);
    Ok(token)
}

/// A token in its three parts (compact serialisation, RFC 7515), each in the one spelling that base64url has for it.
struct Parts<'a> {
    header: Vec<u8>,
    claims: Vec<u8>,
    signature: &'a str,
    /// Header and claims as they stand, which the signature covers.
    signed: &'a str,
}

impl<'a> Parts<'a> {
    fn split(token: &'a str) -> Option<Self> {
        let letter = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
        if token.len() > MAX_BYTES || !token.bytes().all(letter) {
            return None;
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        if header.is_empty() || claims.is_empty() || signature.is_empty() || claims.contains('.') {
            return None;
        }
        // The engine refuses padding and a last letter with spare bits set: one token, one spelling.
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).ok();
        decode(signature)?;
        Some(Self {
            header: decode(header)?,
            claims: decode(claims)?,
            signature,
            signed,
        })
    }
}

/// Why a token is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("access token rejected: {}", self.reason())]
pub enum Rejected {
    /// Too long, letters outside base64url, not three parts, or not the canonical spelling.
    Malformed,
    /// The header says anything but our algorithm, a key and the type of an access token.
    Header,
    /// No key of that name is published.
    UnknownKey,
    /// The signature is not that key's.
    Signature,
    /// A claim is missing, repeated or of another type.
    Claims,
    /// Somebody else's token.
    Issuer,
    /// A token for somebody else.
    Audience,
    /// Not good yet, or signed in the future.
    NotYet,
    /// No longer good.
    Expired,
    /// Ends before it begins, or lives longer than [`MAX_LIFE`].
    Life,
}

impl Rejected {
    /// A word for metrics.
    pub const fn reason(self) -> &'static str {
        match self {
            Self::Malformed => "malformed",
            Self::Header => "header",
            Self::UnknownKey => "unknown_key",
            Self::Signature => "signature",
            Self::Claims => "claims",
            Self::Issuer => "issuer",
            Self::Audience => "audience",
            Self::NotYet => "not_yet",
            Self::Expired => "expired",
            Self::Life => "life",
        }
    }
}
