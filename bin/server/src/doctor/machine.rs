use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use rustix::fs::{Access, access, statvfs};

use super::Finding;
use crate::settings::Settings;

const GIB: u64 = 1 << 30;
const MIB: u64 = 1 << 20;

/// The folder of database and key, and the room around it.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    let folder = &settings.data.dir;
    if !folder.is_dir() {
        let found = format!("{} is not there yet", folder.display());
        let there = folder.ancestors().find(|parent| parent.is_dir());
        let parent = there.unwrap_or(Path::new("."));
        return vec![
            Finding::warn("data folder", found).mend("the first start makes it"),
            disk(parent),
        ];
    }
    let mut findings = vec![rights(folder), disk(folder)];
    findings.extend(settings.database.file().as_deref().and_then(file));
    findings
}

fn rights(folder: &Path) -> Finding {
    let name = folder.display();
    if let Err(failure) = access(folder, Access::READ_OK | Access::WRITE_OK | Access::EXEC_OK) {
        return Finding::fail("data folder", format!("{name}: {failure}"))
            .mend("give it to the user whom the server runs as");
    }
    match mode(folder) {
        Some(mode) if mode & 0o077 != 0 => Finding::warn(
            "data folder",
            format!("{name} can be entered by others ({mode:o})"),
        )
        .mend(format!("chmod 700 {name}")),
        _ => Finding::ok("data folder", format!("{name}, for its owner only")),
    }
}

/// `None` where all is well: the database itself is looked at elsewhere.
fn file(path: &Path) -> Option<Finding> {
    let mode = mode(path).filter(|mode| mode & 0o077 != 0)?;
    let name = path.display();
    Some(
        Finding::warn(
            "data folder",
            format!("{name} can be read by others ({mode:o})"),
        )
        .mend(format!("chmod 600 {name}*")),
    )
}

fn disk(folder: &Path) -> Finding {
    let name = folder.display();
    let free = match statvfs(folder) {
        Ok(found) => found.f_bavail.saturating_mul(found.f_frsize),
        Err(failure) => return Finding::fail("disk", format!("{name}: {failure}")),
    };
    let found = format!("{} MiB are free at {name}", free / MIB);
    let mend = "make room: a full disk ends every write";
    match free {
        free if free < 100 * MIB => Finding::fail("disk", found).mend(mend),
        free if free < GIB => Finding::warn("disk", found).mend(mend),
        _ => Finding::ok("disk", found),
    }
}

fn mode(path: &Path) -> Option<u32> {
    let found = fs::metadata(path).ok()?;
    Some(found.permissions().mode() & 0o777)
}
