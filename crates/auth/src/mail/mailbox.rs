//! Reads what [`super::file::FileMailer`] wrote.

use std::fs;
use std::io;
use std::path::Path;

use uuid::Uuid;

use super::file::StoredMail;

/// How many mails are shown: the newest.
const SHOWN: usize = 100;

/// The newest mails of the folder, the newest first. No folder is an empty one.
pub(crate) fn list(folder: &Path) -> io::Result<Vec<StoredMail>> {
    let files = match fs::read_dir(folder) {
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        files => files?,
    };
    let mut ids: Vec<Uuid> = files
        .flatten()
        .filter_map(|file| id(&file.path()))
        .collect();
    // The ids begin with the time.
    ids.sort_unstable_by(|one, two| two.cmp(one));
    ids.truncate(SHOWN);
    // One that cannot be read was removed meanwhile.
    Ok(ids
        .iter()
        .filter_map(|id| find(folder, *id).ok()?)
        .collect())
}

/// One mail of the folder.
pub(crate) fn find(folder: &Path, id: Uuid) -> io::Result<Option<StoredMail>> {
    match fs::read(folder.join(format!("{id}.json"))) {
        Err(failure) if failure.kind() == io::ErrorKind::NotFound => Ok(None),
        bytes => Ok(Some(serde_json::from_slice(&bytes?)?)),
    }
}

fn id(path: &Path) -> Option<Uuid> {
    let is_ours = path.extension().is_some_and(|end| end == "json");
    path.file_stem().filter(|_| is_ours)?.to_str()?.parse().ok()
}
