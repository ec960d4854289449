use std::fmt;

use cgcg_core::{BoxFuture, Email, Id, Timestamp, User};
use uuid::Uuid;

/// Takes mail away. Filled by the settings, or by a host with a way of its own.
pub trait Mailer: Send + Sync + 'static {
    /// Hands one mail over. The same mail may come again, with the same id, where nobody knows whether it went out.
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>>;

    /// Whether mail could be handed over now; sends none. Where that cannot be told, it could.
    fn reach(&self) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async { Ok(()) })
    }
}

/// A mail, ready to go. `Debug` shows neither address nor text: that holds a link which is as good as a password.
#[derive(Clone)]
pub struct Mail {
    /// The same at each try.
    pub id: Uuid,
    /// Which mail: `verify`, `reset`, `set_password`, `already_registered`, `password_changed`, `email_changed`,
    /// `reuse_detected`.
    pub template: &'static str,
    /// Whom it goes to: one person.
    pub to: Email,
    /// Whose address that is, where an account has it.
    pub user: Option<Id<User>>,
    /// One line.
    pub subject: String,
    /// For readers of plain text.
    pub text: String,
    /// For everybody else; values in it are escaped.
    pub html: String,
    /// When it was written.
    pub written_at: Timestamp,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail")
            .field("id", &self.id)
            .field("template", &self.template)
            .field("user", &self.user)
            .finish_non_exhaustive()
    }
}

/// Why a mail did not go out, and what comes next. The text is for the log: it names no address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MailError {
    /// Not now: it is tried again.
    #[error("{0}")]
    Retry(String),
    /// Never: it is given up.
    #[error("{0}")]
    Permanent(String),
}
