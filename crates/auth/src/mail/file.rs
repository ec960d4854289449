use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use cgcg_core::{BoxFuture, Email, Timestamp};
use lettre::message::Mailbox;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::message::message;
use super::{Mail, MailError, Mailer};

/// How many mails the mailbox shows: the newest.
const SHOWN: usize = 100;

/// For development: `<id>.eml` as it would have gone out, and beside it `<id>.json`, which the mailbox reads.
pub(super) struct FileMailer {
    folder: PathBuf,
    from: Mailbox,
}

/// A mail in the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub(crate) struct StoredMail {
    /// The name of its file, without `.eml`.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub(crate) id: Uuid,
    /// Which mail: `verify`, `reset` and so on.
    pub(crate) template: String,
    /// Whom it goes to.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "email"))]
    pub(crate) to: Email,
    /// What it is about.
    pub(crate) subject: String,
    /// For readers of plain text, with the link.
    pub(crate) text: String,
    /// For everybody else.
    pub(crate) html: String,
    /// When it was written.
    pub(crate) written_at: Timestamp,
}

impl FileMailer {
    pub(super) const fn new(folder: PathBuf, from: Mailbox) -> Self {
        Self { folder, from }
    }
}

impl Mailer for FileMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let eml = message(mail, &self.from)?.formatted();
            let json = serde_json::to_vec_pretty(&StoredMail::from(mail));
            let json = json.map_err(|wrong| MailError::Permanent(wrong.to_string()))?;
            let (folder, id) = (self.folder.clone(), mail.id);
            let written = tokio::task::spawn_blocking(move || {
                make(&folder)?;
                write(&folder, &format!("{id}.eml"), &eml)?;
                write(&folder, &format!("{id}.json"), &json)
            });
            match written.await {
                Ok(Ok(())) => Ok(()),
                Ok(Err(failure)) => Err(MailError::Retry(failure.to_string())),
                Err(failure) => Err(MailError::Retry(failure.to_string())),
            }
        })
    }
}

impl From<&Mail> for StoredMail {
    fn from(mail: &Mail) -> Self {
        let mail = mail.clone();
        Self {
            id: mail.id,
            template: mail.template.to_owned(),
            to: mail.to,
            subject: mail.subject,
            text: mail.text,
            html: mail.html,
            written_at: mail.written_at,
        }
    }
}

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

fn make(folder: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whole under another name first: whoever looks meanwhile sees no half of it.
fn write(folder: &Path, name: &str, bytes: &[u8]) -> io::Result<()> {
    let draft = folder.join(format!(".{name}"));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(bytes)?;
    fs::rename(draft, folder.join(name))
}
