use serde::{Deserialize, Serialize};

use crate::{BoxFuture, Conn, Email, Id, Login, Principal, Timestamp, User, Username};

/// What may be known of a person's account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: Id<User>,
    /// Where mail goes.
    pub email: Email,
    /// When the person proved to read that mail.
    pub email_verified_at: Option<Timestamp>,
    /// A second name to log in with.
    pub username: Option<Username>,
    /// For people.
    pub display_name: Option<String>,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// Made at.
    pub created_at: Timestamp,
}

/// Whether an account may be used. Text in JSON and in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum AccountStatus {
    /// It may.
    Active,
    /// An administrator stopped it.
    Disabled,
}

impl AccountStatus {
    /// As it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Disabled => "disabled",
        }
    }
}

impl TryFrom<String> for AccountStatus {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.as_str() {
            "active" => Ok(Self::Active),
            "disabled" => Ok(Self::Disabled),
            _ => Err(format!("no status of an account: {text:?}")),
        }
    }
}

/// An account that is not yet stored.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// Where mail goes.
    pub email: Email,
    /// Whether the person has proved to read it.
    pub email_verified: bool,
    /// A second name to log in with.
    pub username: Option<Username>,
    /// For people.
    pub display_name: Option<String>,
    /// BCP 47, as in `de-AT`.
    pub locale: Option<String>,
}

/// Keeps accounts. Filled by users, or by a host's own table.
///
/// Works on the caller's connection and opens nothing: SQLite has one writer, and a directory that opened a
/// transaction of its own inside the caller's would wait for it for ever.
pub trait UserDirectory: Send + Sync + 'static {
    /// The account of that id.
    fn find<'a>(
        &'a self,
        conn: &'a mut Conn,
        id: Id<User>,
    ) -> BoxFuture<'a, Result<Option<Account>, DirectoryError>>;

    /// The account of that e-mail or user name.
    fn find_by_login<'a>(
        &'a self,
        conn: &'a mut Conn,
        login: &'a Login,
    ) -> BoxFuture<'a, Result<Option<Account>, DirectoryError>>;

    /// Stores an active account. A taken name must not break the transaction.
    fn create<'a>(
        &'a self,
        conn: &'a mut Conn,
        new: NewAccount,
    ) -> BoxFuture<'a, Result<Account, DirectoryError>>;

    /// Gives an account another e-mail.
    fn set_email<'a>(
        &'a self,
        conn: &'a mut Conn,
        id: Id<User>,
        email: &'a Email,
        verified: bool,
    ) -> BoxFuture<'a, Result<(), DirectoryError>>;
}

/// Why a [`UserDirectory`] did not do it.
#[derive(Debug, thiserror::Error)]
pub enum DirectoryError {
    /// Another account has this e-mail.
    #[error("another account has this e-mail")]
    EmailTaken,
    /// Another account has this user name.
    #[error("another account has this user name")]
    UsernameTaken,
    /// There is no such account.
    #[error("no such account")]
    NotFound,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

/// Is asked before an account changes, in the same transaction, and may refuse. Caches are dropped by
/// [`Conn::on_commit`].
pub trait AccountObserver: Send + Sync + 'static {
    /// `by` is about to change the account `id`.
    fn before_change<'a>(
        &'a self,
        conn: &'a mut Conn,
        by: &'a Principal,
        id: Id<User>,
        change: AccountChange,
    ) -> BoxFuture<'a, Result<(), ObserverError>>;
}

/// What happens to an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccountChange {
    /// It may no longer be used.
    Disabled,
    /// It may be used again. It may have been usable all the while: an administrator who says so may mean what failed
    /// logins have closed.
    Enabled,
    /// Mail goes elsewhere.
    EmailChanged,
    /// It goes away.
    Deleted,
}

/// Why an [`AccountObserver`] stops a change.
#[derive(Debug, thiserror::Error)]
pub enum ObserverError {
    /// It must not happen.
    #[error("refused: {code}")]
    Refused {
        /// Stable: `last_admin`, `target_outranks_caller`, `use_email_change`, `token_stale`.
        code: &'static str,
    },
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}
