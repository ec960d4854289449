use std::fmt;

use zeroize::Zeroizing;

use super::foreign::{Bcrypt, Pbkdf2, Scrypt};
use super::phc::Recipe;
use super::worker::Memory;

/// How a stored hash was made, by us or by whom we took it over from: all but the password.
///
/// Its `Display` names the cost without the salt: what has one text takes one time.
#[derive(Debug, Clone)]
pub(super) enum Scheme {
    Argon2(Recipe),
    Bcrypt(Bcrypt),
    Pbkdf2(Pbkdf2),
    Scrypt(Scrypt),
}

impl Scheme {
    /// Scheme and hash of a stored text; `None` where it has another form, or costs more than is ever paid.
    pub(super) fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        if !stored.is_ascii() || stored.len() > 512 {
            return None;
        }
        // Django puts the name of its hasher before it.
        let phc = stored.strip_prefix("argon2").unwrap_or(stored);
        let argon2 = Recipe::parse(phc).map(|(recipe, hash)| (Self::Argon2(recipe), hash));
        argon2
            .or_else(|| Bcrypt::parse(stored).map(|(known, hash)| (Self::Bcrypt(known), hash)))
            .or_else(|| Pbkdf2::parse(stored).map(|(known, hash)| (Self::Pbkdf2(known), hash)))
            .or_else(|| Scrypt::parse(stored).map(|(known, hash)| (Self::Scrypt(known), hash)))
    }

    /// Memory that it works in, KiB.
    pub(super) fn memory_kib(&self) -> u32 {
        match self {
            Self::Argon2(recipe) => recipe.memory_kib(),
            // Tables of 4 KiB, and some state.
            Self::Bcrypt(_) | Self::Pbkdf2(_) => 8,
            Self::Scrypt(scrypt) => scrypt.memory_kib(),
        }
    }

    /// The hash of `password`.
    ///
    /// # Errors
    /// There is no memory.
    pub(super) fn derive(
        &self,
        password: &[u8],
        memory: &mut Memory,
    ) -> Result<Zeroizing<Vec<u8>>, argon2::Error> {
        match self {
            Self::Argon2(recipe) => recipe.derive(password, memory),
            Self::Bcrypt(bcrypt) => Ok(bcrypt.derive(password)),
            Self::Pbkdf2(pbkdf2) => Ok(pbkdf2.derive(password)),
            Self::Scrypt(scrypt) => {
                // It takes memory of its own: what is claimed is there once.
                memory.forget_blocks();
                scrypt.derive(password).ok_or(argon2::Error::OutOfMemory)
            }
        }
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Argon2(recipe) => recipe.fmt(f),
            Self::Bcrypt(bcrypt) => bcrypt.fmt(f),
            Self::Pbkdf2(pbkdf2) => pbkdf2.fmt(f),
            Self::Scrypt(scrypt) => scrypt.fmt(f),
        }
    }
}
