use std::time::Duration;

use cgcg_core::{Denied, DirectoryError, Invalid, KeyError, ObserverError, SeamError, Secret};

use crate::keyring::RingError;
use crate::password::Overloaded;

/// Why it was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Unknown name or wrong password: nobody learns which.
    #[error("the name or the password is wrong")]
    InvalidCredentials,
    /// The password was right, but the account is disabled.
    #[error("the account is disabled")]
    AccountDisabled,
    /// The password was right, but has to be changed first.
    #[error("the password has to be changed; set a new one with the reset_token")]
    PasswordChangeRequired {
        /// Sets a new password, once.
        reset_token: Secret<String>,
    },
    /// Whoever is logged in does not know the password.
    #[error("the password is wrong")]
    WrongPassword,
    /// The refresh token is not one of ours, was used before, or its session has ended: log in again.
    #[error("the refresh token is not valid; log in again")]
    InvalidGrant,
    /// The scopes asked for are malformed, or the account has none of them.
    #[error("none of the requested scopes can be granted")]
    InvalidScope,
    /// The settings take user name and password at `/auth/login` only.
    #[error("the password grant is switched off; use /auth/login")]
    PasswordGrantOff,
    /// Nobody can register.
    #[error("registration is closed")]
    RegistrationClosed,
    /// Administrators make the accounts.
    #[error("accounts are made by administrators")]
    InviteRequired,
    /// The settings do not list this domain.
    #[error("addresses of this domain cannot register")]
    EmailDomainRefused,
    /// The one-time token is not ours, was used, has ended, made room for a newer one, or is for something else.
    #[error("this link is not valid, or not any more; ask for a new one")]
    OneTimeTokenInvalid,
    /// The key is empty, longer than 255 bytes, or has more than printable ASCII.
    #[error("expected an Idempotency-Key of 1 to 255 letters of printable ASCII")]
    IdempotencyKeyInvalid,
    /// Another request had that key in the last 24 h.
    #[error("another request had this Idempotency-Key; take a new one for each")]
    IdempotencyKeyReused,
    /// Another account has this e-mail.
    #[error("another account has this e-mail")]
    EmailTaken,
    /// Another account has this user name.
    #[error("another account has this user name")]
    UsernameTaken,
    /// A value that does not fit.
    #[error("{field}: {invalid}")]
    Invalid {
        /// Where it stood.
        field: &'static str,
        /// What would fit.
        invalid: Invalid,
    },
    /// There is an administrator already, or the link was used or is too old.
    #[error("this set-up link is not valid, or the first administrator exists already")]
    SetupClosed,
    /// A machine asked for what only a person may do.
    #[error("this needs a person, not a key")]
    NotAPerson,
    /// Nobody gives away a right that they lack.
    #[error("you cannot grant what you do not have")]
    ScopeNotHeld,
    /// No such session, or that of somebody else, or it has ended.
    #[error("no such session")]
    SessionNotFound,
    /// Too many tries, by this address or at this account. Nothing was done.
    #[error("too many tries; wait before the next one")]
    Throttled {
        /// So long.
        retry_after: Duration,
    },
    /// A scope is lacking, or the session or key of the caller has ended meanwhile.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The account may do more than the caller: nobody changes those above them.
    #[error("this account may do more than you may")]
    TargetOutranksCaller,
    /// Without this administrator nobody could make another.
    #[error("one administrator has to stay")]
    LastAdmin,
    /// There is no such account of a person.
    #[error("no such account")]
    UserNotFound,
    /// There is no such role.
    #[error("no such role")]
    RoleNotFound,
    /// There is no such service account.
    #[error("no such service account")]
    ServiceAccountNotFound,
    /// There is no such key, or it is somebody else's.
    #[error("no such API key")]
    ApiKeyNotFound,
    /// `admin` and `user` are what the code says.
    #[error("a built-in role cannot be changed")]
    BuiltinRole,
    /// The settings give this role to new accounts.
    #[error("roles.default of the settings names this role")]
    RoleInUse,
    /// Another role or service account has this name.
    #[error("this name is taken")]
    NameTaken,
    /// Somebody changed it since the caller read it. Read it again.
    #[error("it has changed since that version")]
    VersionMismatch,
    /// The owner has as many live keys as the settings allow. Revoke one.
    #[error("there are too many live API keys; revoke one")]
    TooManyKeys,
    /// A disabled service account gets no keys.
    #[error("the service account is disabled")]
    ServiceAccountDisabled,
    /// Too many hashes wait. Nothing was done: try again in a second.
    #[error("too many logins at once; try again")]
    Overloaded,
    /// [`crate::Service::open`] was not called, or failed.
    #[error("auth is not open yet")]
    NotOpen,
    /// The settings contradict themselves; the text lists each key.
    #[error("settings: {0}")]
    Settings(String),
    /// The stored signing key does not open.
    #[error(
        "the signing key {kid} in the database was sealed with another master key; bring that key to this node"
    )]
    WrongKey {
        /// Its name.
        kid: String,
    },
    /// No signing key has this name; [`crate::Service::list_keys`] tells them.
    #[error("there is no signing key of this name; `cgcg keys list` prints all")]
    KeyNotFound,
    /// A key could not be made or used.
    #[error("keys: {0}")]
    Key(String),
    /// Others could not be told; nothing was done.
    #[error("a message could not be stored")]
    Publish(#[source] SeamError),
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl Error {
    pub(crate) const fn invalid(field: &'static str, invalid: Invalid) -> Self {
        Self::Invalid { field, invalid }
    }
}

impl From<DirectoryError> for Error {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::EmailTaken => Self::EmailTaken,
            DirectoryError::UsernameTaken => Self::UsernameTaken,
            // An account that goes away between two statements is an account that nobody can log in to.
            DirectoryError::NotFound => Self::InvalidCredentials,
            DirectoryError::Database(error) => Self::Database(error),
        }
    }
}

impl From<ObserverError> for Error {
    fn from(error: ObserverError) -> Self {
        match error {
            ObserverError::Refused { code: "last_admin" } => Self::LastAdmin,
            ObserverError::Refused { .. } => Self::TargetOutranksCaller,
            ObserverError::Database(error) => Self::Database(error),
        }
    }
}

impl From<SeamError> for Error {
    fn from(error: SeamError) -> Self {
        match error {
            SeamError::Database(error) => Self::Database(error),
            other => Self::Publish(other),
        }
    }
}

impl From<KeyError> for Error {
    fn from(error: KeyError) -> Self {
        Self::Key(error.to_string())
    }
}

impl From<RingError> for Error {
    fn from(error: RingError) -> Self {
        Self::Key(error.to_string())
    }
}

impl From<Overloaded> for Error {
    fn from(_: Overloaded) -> Self {
        Self::Overloaded
    }
}
