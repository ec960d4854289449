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

/// For development: `<id>.eml` as it would have gone out, and beside it `<id>.json`, which the mailbox reads.
pub(super) struct FileMailer {
    folder: PathBuf,
    from: Mailbox,
}

/// A mail in the folder. It holds a link, so it has no `Debug`.
#[derive(Clone, Serialize, Deserialize)]
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
