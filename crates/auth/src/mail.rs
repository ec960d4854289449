//! What is mailed, and to whom. Mail is a row of the outbox, written in the transaction that needs it; a worker sends it,
//! so no answer waits for a mail server, and none tells whether there was somebody to write to.

use cgcg_core::{Email, Id};
use serde_json::{Map, Value};

use crate::one_time::OneTime;

/// The row of a mail that waits, for `Id<Outgoing>`.
pub(crate) enum Outgoing {}

/// Which mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Template {
    /// Prove that you read this address.
    Verify,
    /// Set a new password.
    Reset,
    /// Set your first password: an administrator made the account.
    SetPassword,
    /// Somebody registered with this address, which has an account.
    AlreadyRegistered,
    /// The password was changed.
    PasswordChanged,
    /// The address was changed; to the old one.
    EmailChanged,
    /// A refresh token was used twice, and its session is over.
    ReuseDetected,
}

impl Template {
    /// As it is stored, and as its files are named.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Verify => "verify",
            Self::Reset => "reset",
            Self::SetPassword => "set_password",
            Self::AlreadyRegistered => "already_registered",
            Self::PasswordChanged => "password_changed",
            Self::EmailChanged => "email_changed",
            Self::ReuseDetected => "reuse_detected",
        }
    }
}

/// A mail to be written into the outbox. See [`crate::Service::mail_in`].
#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) template: Template,
    pub(crate) to: Email,
    /// The link that it carries. Its token is made again from the row when the mail is sent: nothing secret is stored.
    pub(crate) link: Option<Id<OneTime>>,
    pub(crate) data: Map<String, Value>,
}
