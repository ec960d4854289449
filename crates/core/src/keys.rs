//! Keys derived for one feature from the master key of the server.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::hkdf::{HKDF_SHA256, Salt};
use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

/// The secret that all others come from: 32 bytes. The server owns it; features get [`FeatureKeys`].
pub struct MasterKey(Zeroizing<[u8; 32]>);

impl MasterKey {
    /// Takes 32 bytes of chance.
    ///
    /// # Errors
    /// [`KeyError::Weak`] where all bytes are alike: a placeholder, not a key.
    pub fn new(bytes: [u8; 32]) -> Result<Self, KeyError> {
        let bytes = Zeroizing::new(bytes);
        if bytes.iter().all(|byte| *byte == bytes[0]) {
            return Err(KeyError::Weak);
        }
        Ok(Self(bytes))
    }

    /// A fresh one.
    ///
    /// # Errors
    /// [`KeyError::Chance`] where the system has no random bytes.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        rand::fill(&mut bytes).map_err(|_| KeyError::Chance)?;
        Self::new(bytes)
    }

    /// The key itself, to be stored.
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of one feature.
    ///
    /// # Errors
    /// Never for a label under 200 bytes.
    pub fn derive(&self, label: &str) -> Result<FeatureKey, KeyError> {
        FeatureKey(self.0.clone()).derive(label)
    }

    /// Tells this key from others without giving it away: stored beside the data that it protects.
    ///
    /// # Errors
    /// Never.
    pub fn check_value(&self) -> Result<String, KeyError> {
        let bytes = self.derive("check value")?;
        Ok(bytes.0[..16]
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect())
    }
}

/// What a feature gets: its key, and the one before it while a change of the master key goes on.
pub struct FeatureKeys {
    /// For all that is made now.
    pub current: FeatureKey,
    /// Only to check and open what was made before.
    pub previous: Option<FeatureKey>,
}

impl FeatureKeys {
    /// The same two keys for a narrower purpose.
    ///
    /// # Errors
    /// As [`FeatureKey::derive`].
    pub fn derive(&self, label: &str) -> Result<Self, KeyError> {
        let previous = self
            .previous
            .as_ref()
            .map(|key| key.derive(label))
            .transpose()?;
        Ok(Self {
            current: self.current.derive(label)?,
            previous,
        })
    }

    /// Opens what [`FeatureKey::seal`] made with either key.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] where neither fits.
    pub fn open(&self, sealed: &[u8], about: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let opened = self.current.open(sealed, about);
        match &self.previous {
            Some(previous) if opened.is_err() => previous.open(sealed, about),
            _ => opened,
        }
    }

    /// Whether either key made this (perhaps cut) MAC of `message`. In constant time.
    pub fn verify_mac(&self, message: &[&[u8]], mac: &[u8]) -> bool {
        let keys = std::iter::once(&self.current).chain(&self.previous);
        keys.filter(|key| key.is_mac(message, mac)).count() != 0
    }
}

/// One key, for one purpose. Source of the derivation: HKDF-SHA-256, RFC 5869.
pub struct FeatureKey(Zeroizing<[u8; 32]>);

/// Nonce, ciphertext, tag.
pub type Sealed = Vec<u8>;

impl FeatureKey {
    /// A key for a narrower purpose.
    ///
    /// # Errors
    /// Never for a label under 200 bytes.
    pub fn derive(&self, label: &str) -> Result<Self, KeyError> {
        let mut bytes = Zeroizing::new([0; 32]);
        let pseudo_random = Salt::new(HKDF_SHA256, b"cgcg").extract(&*self.0);
        pseudo_random
            .expand(&[label.as_bytes()], HKDF_SHA256)
            .and_then(|output| output.fill(&mut *bytes))
            .map_err(|_| KeyError::Label)?;
        Ok(Self(bytes))
    }

    /// AES-256-GCM under a nonce of chance. `about` is bound to it and must be given again to open.
    ///
    /// # Errors
    /// [`KeyError::Chance`].
    pub fn seal(&self, plain: &[u8], about: &[u8]) -> Result<Sealed, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).map_err(|_| KeyError::Chance)?;
        let mut body = plain.to_vec();
        let key = self.cipher()?;
        key.seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(about),
            &mut body,
        )
        .map_err(|_| KeyError::Sealed)?;
        Ok([&nonce[..], &body].concat())
    }

    /// Opens what [`FeatureKey::seal`] made.
    ///
    /// # Errors
    /// [`KeyError::Sealed`] where key or `about` do not fit, or a byte changed.
    pub fn open(&self, sealed: &[u8], about: &[u8]) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let (nonce, body) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(KeyError::Sealed)?;
        let mut body = Zeroizing::new(body.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let opened = self
            .cipher()?
            .open_in_place(nonce, Aad::from(about), &mut body);
        let length = opened.map_err(|_| KeyError::Sealed)?.len();
        body.truncate(length);
        Ok(body)
    }

    /// HMAC-SHA-256 of the parts, one behind the other: give parts of fixed length only.
    pub fn mac(&self, message: &[&[u8]]) -> [u8; 32] {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, &*self.0));
        message.iter().for_each(|part| context.update(part));
        let mut mac = [0; 32];
        mac.copy_from_slice(context.sign().as_ref());
        mac
    }

    fn is_mac(&self, message: &[&[u8]], mac: &[u8]) -> bool {
        let whole = self.mac(message);
        let cut = whole.get(..mac.len()).filter(|cut| cut.len() >= 16);
        cut.is_some_and(|cut| verify_slices_are_equal(cut, mac).is_ok())
    }

    fn cipher(&self) -> Result<LessSafeKey, KeyError> {
        let key = UnboundKey::new(&AES_256_GCM, &*self.0);
        key.map(LessSafeKey::new).map_err(|_| KeyError::Sealed)
    }
}

/// Why a key is of no use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A placeholder, not a key.
    #[error("the key is a placeholder; make one with `openssl rand -base64 32`")]
    Weak,
    /// The label of a derived key is too long.
    #[error("the label of a derived key is too long")]
    Label,
    /// Made with another key, for another purpose, or changed since.
    #[error("it was sealed with another key, or changed since")]
    Sealed,
    /// The system has no random bytes.
    #[error("the system has no random bytes")]
    Chance,
}

macro_rules! hidden {
    ($($name:ident),+) => {$(
        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(concat!(stringify!($name), "([secret])"))
            }
        }
    )+};
}

hidden!(MasterKey, FeatureKeys, FeatureKey);
