//! The secret that all others come from: where it is kept, and whether it is the right one.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cgcg_core::{Db, MasterKey, Meta};
use rustix::fs::Mode;
use zeroize::Zeroizing;

use crate::Failure;
use crate::settings::Settings;

/// Under which the check value stands in the database.
const CHECK: &str = "master_key_check";

/// Why there is no key to work with. Each says the mend.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyFault {
    #[error("keys.master is not 32 bytes in base64; make one with `openssl rand -base64 32`")]
    NotBase64,
    #[error("{0} does not hold 32 bytes in base64; restore it from a backup")]
    Damaged(PathBuf),
    #[error("{0} can be read by others; run: chmod 600 {0}")]
    Open(PathBuf),
    #[error(
        "{0} is missing, and the database was made with one; restore it from a backup, or set keys.master"
    )]
    Missing(PathBuf),
    #[error(
        "this master key is not the one that the database was made with; bring the key of the node that made it \
         (its data/master.key, or its keys.master)"
    )]
    Other,
}

/// The folder of the database file and the key, for its owner only.
pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    // Whoever made the folder beforehand, what is made inside is for its owner only: SQLite has no setting for it.
    rustix::process::umask(Mode::RWXU.complement());
    let made = fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder);
    made.map_err(|failure| {
        format!(
            "{}: {failure}; choose another folder with --data",
            folder.display()
        )
        .into()
    })
}

/// The key in force, checked against the database.
pub(crate) async fn load(settings: &Settings, db: &Db) -> Result<MasterKey, Failure> {
    let known = Meta::find(db, CHECK).await?;
    let path = settings.data.dir.join("master.key");
    let (key, made) = match &settings.keys.master {
        Some(text) => (decode(text.expose()).ok_or(KeyFault::NotBase64)?, None),
        None => from_file(&path, known.is_some())?,
    };
    let check = key.check_value()?;
    if Meta::claim(db, CHECK, &check).await? != check {
        // A key that was made a moment ago has protected nothing yet.
        made.map(fs::remove_file).transpose()?;
        return Err(KeyFault::Other.into());
    }
    Ok(key)
}

/// The key of the file, and the file where it was made just now.
fn from_file(path: &Path, needed: bool) -> Result<(MasterKey, Option<&Path>), Failure> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Err(KeyFault::Open(path.into()).into())
        }
        Ok(_) => read(path).map(|key| (key, None)),
        Err(failure) if failure.kind() == ErrorKind::NotFound && needed => {
            Err(KeyFault::Missing(path.into()).into())
        }
        Err(failure) if failure.kind() == ErrorKind::NotFound => make(path),
        Err(failure) => Err(format!("{}: {failure}", path.display()).into()),
    }
}

fn read(path: &Path) -> Result<MasterKey, Failure> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|failure| format!("{}: {failure}", path.display()))?;
    Ok(decode(&text).ok_or_else(|| KeyFault::Damaged(path.into()))?)
}

/// Written whole under a name that nobody else has, then linked: two processes that start at once get one key, and none
/// reads half of it.
fn make(path: &Path) -> Result<(MasterKey, Option<&Path>), Failure> {
    // A key is chance enough for the name of a draft, through its check value.
    let key = MasterKey::generate()?;
    let draft = path.with_extension(format!("key.{}", key.check_value()?));
    let text = Zeroizing::new(STANDARD.encode(key.expose()) + "\n");
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()?;
    let linked = fs::hard_link(&draft, path);
    fs::remove_file(&draft)?;
    match linked {
        Ok(()) => {
            path.parent()
                .map(|folder| fs::File::open(folder)?.sync_all())
                .transpose()?;
            Ok((read(path)?, Some(path)))
        }
        Err(failure) if failure.kind() == ErrorKind::AlreadyExists => Ok((read(path)?, None)),
        Err(failure) => Err(failure.into()),
    }
}

pub(crate) fn decode(text: &str) -> Option<MasterKey> {
    let bytes = Zeroizing::new(STANDARD.decode(text.trim()).ok()?);
    MasterKey::new(bytes.as_slice().try_into().ok()?).ok()
}
