use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use zeroize::Zeroizing;

use super::settings::{Argon2Settings, MAX_LANES, MAX_MEMORY_KIB, MAX_PASSES};
use super::worker::Memory;

/// Bytes of a hash that we make.
const HASH_BYTES: usize = 32;
/// Bytes of a salt that we make.
pub(super) const SALT_BYTES: usize = 16;

/// How a hash is made: all but the password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Recipe {
    algorithm: Algorithm,
    version: Version,
    memory_kib: u32,
    passes: u32,
    lanes: u32,
    salt: Vec<u8>,
    length: usize,
}

impl Recipe {
    /// As the settings say.
    pub(super) fn new(settings: &Argon2Settings, salt: [u8; SALT_BYTES]) -> Self {
        Self {
            algorithm: Algorithm::Argon2id,
            version: Version::V0x13,
            memory_kib: settings.memory_kib,
            passes: settings.passes,
            lanes: settings.lanes,
            salt: salt.to_vec(),
            length: HASH_BYTES,
        }
    }

    /// Blocks of 1 KiB that it works in.
    pub(super) const fn memory_kib(&self) -> u32 {
        self.memory_kib
    }

    /// The hash of `password`.
    ///
    /// # Errors
    /// The system has no memory.
    pub(super) fn derive(
        &self,
        password: &[u8],
        memory: &mut Memory,
    ) -> argon2::Result<Zeroizing<Vec<u8>>> {
        let params = Params::new(self.memory_kib, self.passes, self.lanes, Some(self.length))?;
        let argon2 = Argon2::new(self.algorithm, self.version, params);
        let blocks = memory.blocks().ok_or(argon2::Error::OutOfMemory)?;
        let mut hash = Zeroizing::new(vec![0; self.length]);
        argon2.hash_password_into_with_memory(password, &self.salt, &mut hash, blocks)?;
        Ok(hash)
    }

    /// Whether it is what [`Recipe::new`] makes of these settings, but for the salt.
    pub(super) fn is_current(&self, settings: &Argon2Settings) -> bool {
        let salt = <[u8; SALT_BYTES]>::try_from(self.salt.as_slice());
        salt.is_ok_and(|salt| *self == Self::new(settings, salt))
    }

    /// The text that is stored: `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`.
    pub(super) fn to_phc(&self, hash: &[u8]) -> String {
        let (salt, hash) = (
            STANDARD_NO_PAD.encode(&self.salt),
            STANDARD_NO_PAD.encode(hash),
        );
        format!("{self}${salt}${hash}")
    }

    /// Recipe and hash of a stored text; `None` where it has another form, or costs more than is ever paid.
    ///
    /// Who can write into the database must not be able to stop the server, so this obeys no number it reads.
    pub(super) fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        let (name, rest) = stored.strip_prefix('$')?.split_once("$v=")?;
        let (version, rest) = rest.split_once('$')?;
        let (cost, rest) = rest.split_once('$')?;
        let (salt, hash) = rest.split_once('$')?;
        let mut cost = cost.split(',');
        let recipe = Self {
            algorithm: match name {
                "argon2id" => Algorithm::Argon2id,
                "argon2i" => Algorithm::Argon2i,
                _ => return None,
            },
            version: match version {
                "16" => Version::V0x10,
                "19" => Version::V0x13,
                _ => return None,
            },
            memory_kib: number(cost.next()?, "m=", MAX_MEMORY_KIB)?,
            passes: number(cost.next()?, "t=", MAX_PASSES)?,
            lanes: number(cost.next()?, "p=", MAX_LANES)?,
            salt: bytes(salt, 8)?,
            length: 0,
        };
        let hash = bytes(hash, 16)?;
        // argon2 needs two blocks in each of four slices of a lane.
        let fits = cost.next().is_none() && recipe.memory_kib >= recipe.lanes * 8;
        fits.then_some((
            Self {
                length: hash.len(),
                ..recipe
            },
            hash,
        ))
    }
}

impl fmt::Display for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, version) = (self.algorithm.as_str(), u32::from(self.version));
        let Self {
            memory_kib,
            passes,
            lanes,
            ..
        } = self;
        write!(f, "${name}$v={version}$m={memory_kib},t={passes},p={lanes}")
    }
}

/// A decimal number from 1 to `max` in its one spelling: no sign, no leading zero.
fn number(text: &str, name: &str, max: u32) -> Option<u32> {
    let digits = text.strip_prefix(name)?;
    let canonical = digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0');
    digits
        .parse()
        .ok()
        .filter(|number| canonical && *number <= max)
}

/// `min` to 64 bytes, base64 without padding.
fn bytes(text: &str, min: usize) -> Option<Vec<u8>> {
    // 86 letters are 64 bytes.
    let text = Some(text).filter(|text| text.len() <= 86)?;
    STANDARD_NO_PAD
        .decode(text)
        .ok()
        .filter(|bytes| bytes.len() >= min)
}
