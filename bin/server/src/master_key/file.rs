use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use cgcg_core::MasterKey;
use zeroize::Zeroizing;

use super::{KeyFault, Unfit, decode};
use crate::Failure;

/// The key of the file, and the file where it was made just now.
pub(super) fn from_file(path: &Path, needed: bool) -> Result<(MasterKey, Option<&Path>), Failure> {
    match existing(path, needed)? {
        Some(key) => Ok((key, None)),
        None => make(path),
    }
}

/// The key of the file; `None` where there is no file and none is needed.
pub(super) fn existing(path: &Path, needed: bool) -> Result<Option<MasterKey>, Failure> {
    match fs::metadata(path) {
        Ok(found) if found.permissions().mode() & 0o077 != 0 => {
            Err(KeyFault::Open(path.into()).into())
        }
        Ok(_) => read(path).map(Some),
        Err(failure) if failure.kind() == ErrorKind::NotFound && needed => {
            Err(KeyFault::Missing(path.into()).into())
        }
        Err(failure) if failure.kind() == ErrorKind::NotFound => Ok(None),
        Err(failure) => Err(format!("{}: {failure}", path.display()).into()),
    }
}

fn read(path: &Path) -> Result<MasterKey, Failure> {
    let text = fs::read_to_string(path).map(Zeroizing::new);
    let text = text.map_err(|failure| format!("{}: {failure}", path.display()))?;
    let key = decode(&text).map_err(|unfit| match unfit {
        Unfit::Length => KeyFault::Damaged(path.into()),
        Unfit::Sample => KeyFault::Sample(path.into()),
    });
    Ok(key?)
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
