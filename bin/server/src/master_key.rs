//! The secret that all others come from: where it is kept, whether it is the right one, and how another takes its place.

mod file;

use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cgcg_core::{Conn, Db, MasterKey, Meta, Secret};
use rustix::fs::Mode;
use zeroize::Zeroizing;

use crate::Failure;
use crate::settings::Settings;

/// Under which the check value stands in the database.
const CHECK: &str = "master_key_check";

/// The key in force, and the one that it takes the place of.
pub(crate) struct MasterKeys {
    pub(crate) current: MasterKey,
    /// Only opens and checks what was made before.
    pub(crate) previous: Option<MasterKey>,
}

/// Why there is no key to work with. Each says the mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFault {
    #[error("{0}: {1}")]
    Setting(&'static str, Unfit),
    #[error("{0} does not hold 32 bytes in base64; restore it from a backup")]
    Damaged(PathBuf),
    #[error(
        "{0} holds a sample key or a text, not chance; restore it from a backup, or make one with `openssl rand -base64 32`"
    )]
    Sample(PathBuf),
    #[error("{0} can be read by others; run: chmod 600 {0}")]
    Open(PathBuf),
    #[error(
        "{0} is missing, and the database was made with one; restore it from a backup, or set keys.master"
    )]
    Missing(PathBuf),
    #[error(
        "this master key is not the one that the database was made with; bring the key of the node that made it \
         (its data/master.key, or its keys.master). To change the key, give the old one as keys.previous and run: \
         cgcg keys rotate-master"
    )]
    Other,
    #[error("keys.previous is the key in force as well; give the one before it, or none")]
    SameTwice,
    #[error(
        "there is no keys.previous: put a new key in place of the old one, give the old one as keys.previous, and run \
         this again"
    )]
    NoPrevious,
}

/// Why a text is no master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error("expected 32 bytes in base64; make one with `openssl rand -base64 32`")]
    Length,
    #[error("it is a sample or a text, not chance; make one with `openssl rand -base64 32`")]
    Sample,
}

/// The folder of the database file and the key, for its owner only.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    // Whoever made the folder beforehand, what is made inside is for its owner only: SQLite has no setting for it.
    rustix::process::umask(Mode::RWXU.complement());
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|failure| {
        format!(
            "{}: {failure}; choose another folder with --data",
            folder.display()
        )
        .into()
    })
}

/// The keys in force, checked against the database.
pub(crate) async fn load(settings: &Settings, db: &Db) -> Result<MasterKeys, Failure> {
    let known = Meta::find(db, CHECK).await?;
    let path = settings.data.dir.join("master.key");
    let (current, made) = match &settings.keys.master {
        Some(text) => (from_setting("keys.master", text)?, None),
        None => file::from_file(&path, known.is_some())?,
    };
    let previous = settings.keys.previous.as_ref();
    let previous = previous
        .map(|text| from_setting("keys.previous", text))
        .transpose()?;
    let keys = MasterKeys { current, previous };
    let (check, before) = keys.check_values()?;
    if before.as_ref() == Some(&check) {
        return Err(KeyFault::SameTwice.into());
    }
    let stored = Meta::claim(db, CHECK, &check).await?;
    if before.as_ref() == Some(&stored) {
        tracing::warn!(
            "the master key is being changed; once every node has both, run: cgcg keys rotate-master"
        );
    } else if stored != check {
        // A key that was made a moment ago has protected nothing yet.
        made.map(fs::remove_file).transpose()?;
        return Err(KeyFault::Other.into());
    }
    Ok(keys)
}

/// Which key there is for a database with this check value, if it has one. Makes and claims nothing.
///
/// # Errors
/// As [`load`].
pub(crate) fn look(
    settings: &Settings,
    known: Option<&str>,
) -> Result<Option<MasterKeys>, Failure> {
    let current = match &settings.keys.master {
        Some(text) => from_setting("keys.master", text)?,
        None => {
            let path = settings.data.dir.join("master.key");
            match file::existing(&path, known.is_some())? {
                Some(key) => key,
                None => return Ok(None),
            }
        }
    };
    let previous = settings.keys.previous.as_ref();
    let previous = previous
        .map(|text| from_setting("keys.previous", text))
        .transpose()?;
    let keys = MasterKeys { current, previous };
    let (check, before) = keys.check_values()?;
    if before.as_ref() == Some(&check) {
        return Err(KeyFault::SameTwice.into());
    }
    let ours = |known| known == check || before.as_deref() == Some(known);
    if !known.is_none_or(ours) {
        return Err(KeyFault::Other.into());
    }
    Ok(Some(keys))
}

/// The check value of the key that the database was made with.
pub(crate) async fn known(db: &Db) -> Result<Option<String>, Failure> {
    Ok(Meta::find(db, CHECK).await?)
}

/// From now on the database belongs to the current key: a node with the previous one alone does not start. In the
/// transaction in which everything is sealed anew.
pub(crate) async fn hand_over(keys: &MasterKeys, conn: &mut Conn) -> Result<(), Failure> {
    let (current, previous) = keys.check_values()?;
    let previous = previous.ok_or(KeyFault::NoPrevious)?;
    Meta::replace(conn, CHECK, &previous, &current).await?;
    Ok(())
}

impl MasterKeys {
    fn check_values(&self) -> Result<(String, Option<String>), Failure> {
        let previous = self.previous.as_ref().map(MasterKey::check_value);
        Ok((self.current.check_value()?, previous.transpose()?))
    }
}

fn from_setting(name: &'static str, text: &Secret<String>) -> Result<MasterKey, KeyFault> {
    decode(text.expose()).map_err(|unfit| KeyFault::Setting(name, unfit))
}

/// The key of a text, unless it is one that nobody drew by chance.
pub(crate) fn decode(text: &str) -> Result<MasterKey, Unfit> {
    let bytes = STANDARD.decode(text.trim()).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| Unfit::Length)?;
    let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| Unfit::Length)?;
    if is_sample(&bytes) {
        return Err(Unfit::Sample);
    }
    MasterKey::new(bytes).map_err(|_| Unfit::Sample)
}

/// Letters throughout, or bytes in even steps, as in documentation. Chance makes such a key once in 10^13.
fn is_sample(bytes: &[u8; 32]) -> bool {
    let step = bytes[1].wrapping_sub(bytes[0]);
    let steps = bytes
        .windows(2)
        .all(|pair| pair[1].wrapping_sub(pair[0]) == step);
    steps || bytes.iter().all(|byte| matches!(byte, b' '..=b'~'))
}
