use cgcg_core::{DirectoryError, Invalid, ObserverError, SeamError};

/// What can go wrong, one variant per thing that a caller may do differently. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such account, or no longer.
    #[error("no such account")]
    NotFound,
    /// Another account has this e-mail, in whatever spelling.
    #[error("another account has this e-mail")]
    EmailTaken,
    /// Another account has this user name.
    #[error("another account has this user name")]
    UsernameTaken,
    /// Somebody changed the account since the caller read it. Read it again.
    #[error("the account has changed since that version")]
    VersionMismatch,
    /// A field of the request does not fit.
    #[error("{field}: {invalid}")]
    Invalid {
        /// Its name in the request.
        field: &'static str,
        /// Code and rule.
        invalid: Invalid,
    },
    /// Another feature forbids it: `last_admin`, `target_outranks_caller`, `use_email_change`, `token_stale`.
    #[error("refused: {code}")]
    Refused {
        /// Stable, of the feature that forbids.
        code: &'static str,
    },
    /// A machine asked for what only a person may do to their own account.
    #[error("only a person may do this to their own account")]
    PersonRequired,
    /// The message about the change was not taken.
    #[error("the change could not be published")]
    Publish(#[source] SeamError),
    /// The database failed. Trying again may help.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl From<SeamError> for Error {
    fn from(error: SeamError) -> Self {
        match error {
            SeamError::Database(error) => Self::Database(error),
            other => Self::Publish(other),
        }
    }
}

impl From<ObserverError> for Error {
    fn from(error: ObserverError) -> Self {
        match error {
            ObserverError::Refused { code } => Self::Refused { code },
            ObserverError::Database(error) => Self::Database(error),
        }
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::EmailTaken => Self::EmailTaken,
            DirectoryError::UsernameTaken => Self::UsernameTaken,
            DirectoryError::NotFound => Self::NotFound,
            DirectoryError::Database(error) => Self::Database(error),
        }
    }
}
