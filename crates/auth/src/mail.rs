//! What is mailed, and to whom. Mail is a row of the outbox, written in the transaction that needs it; a worker sends it,
//! so no answer waits for a mail server, and none tells whether there was somebody to write to.

mod file;
mod log;
#[cfg(feature = "router")]
mod mailbox;
mod mailer;
mod message;
mod sink;
#[cfg(feature = "smtp")]
mod smtp;
mod template;

use std::sync::Arc;

use cgcg_core::{Account, Email, Id};
use serde_json::{Map, Value};

use crate::one_time::OneTime;

#[cfg(feature = "router")]
pub(crate) use file::StoredMail;
#[cfg(feature = "router")]
pub(crate) use mailbox::{find, list};
pub use mailer::{Mail, MailError, Mailer};
#[cfg(test)]
pub(crate) use message::formatted;
pub(crate) use message::is_sender;
#[cfg(feature = "router")]
pub(crate) use sink::is_name_of_here;
#[cfg(feature = "router")]
pub(crate) use template::escape;
pub(crate) use template::{Templates, Values};

/// What sends, and what is sent.
pub(crate) struct MailSetup {
    pub(crate) mailer: Arc<dyn Mailer>,
    pub(crate) templates: Templates,
    /// What the server calls itself.
    pub(crate) product: String,
    /// Whether mail gets anywhere.
    pub(crate) sends: bool,
}

/// The row of a mail that waits, for `Id<Outgoing>`.
pub(crate) enum Outgoing {}

/// Names a mail.
#[cfg(feature = "router")]
pub(crate) type MailId = Id<Outgoing>;

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
    pub(crate) const ALL: [Self; 7] = [
        Self::Verify,
        Self::Reset,
        Self::SetPassword,
        Self::AlreadyRegistered,
        Self::PasswordChanged,
        Self::EmailChanged,
        Self::ReuseDetected,
    ];

    /// `None` for a text that another version of this program stored.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|template| template.as_str() == text)
    }

    /// Whether it carries a one-time link.
    pub(crate) const fn has_link(self) -> bool {
        matches!(self, Self::Verify | Self::Reset | Self::SetPassword)
    }

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

impl Letter {
    /// To the owner of an account, whose id the log may show.
    pub(crate) fn to(account: &Account, template: Template) -> Self {
        let name = account.display_name.clone().map(Value::from);
        let name = name.map(|name| ("name".to_owned(), name));
        let user = ("user_id".to_owned(), account.id.to_string().into());
        Self {
            template,
            to: account.email.clone(),
            link: None,
            data: [user].into_iter().chain(name).collect(),
        }
    }

    /// With a one-time link in it.
    pub(crate) const fn with_link(mut self, link: Id<OneTime>) -> Self {
        self.link = Some(link);
        self
    }
}
