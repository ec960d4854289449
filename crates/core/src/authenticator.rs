use std::fmt;
use std::sync::Arc;

use crate::{BoxFuture, Principal};

/// Tells who is behind a credential. Filled by auth; in builds without it, by [`crate::StaticTokens`].
pub trait Authenticator: Send + Sync + 'static {
    /// Who it is. May answer from a cache as old as the settings allow.
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Arc<Principal>, Denied>>;

    /// Whether the principal still stands. Reads the rows, no cache; long streams ask each 30 s.
    fn still_valid<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool>;
}

/// What a caller shows.
#[derive(Clone, Copy)]
#[non_exhaustive]
pub enum Credential<'a> {
    /// `Authorization: Bearer …`
    Bearer(&'a str),
    /// A cookie.
    Cookie(&'a str),
}

impl fmt::Debug for Credential<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bearer(_) => "Bearer",
            Self::Cookie(_) => "Cookie",
        })
    }
}

/// Why a caller does not pass.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Denied {
    /// No credential was shown.
    #[error("this needs a credential")]
    Missing,
    /// The credential is not one of ours, or no longer.
    #[error("the credential is not valid")]
    Invalid,
    /// Its time is over: a client may refresh.
    #[error("the token has expired")]
    Expired,
    /// Rights or password changed since it was made: a client may refresh.
    #[error("the token is older than the last change of the account")]
    Stale,
    /// A scope is lacking.
    #[error("this needs the scope {0}")]
    MissingScope(&'static str),
    /// The last proof of the person is too old.
    #[error("this needs a login not older than {max_age} seconds")]
    OldLogin {
        /// In seconds.
        max_age: i64,
    },
    /// A machine asked for what only a person may do.
    #[error("this needs a person, not a key")]
    NotAPerson,
    /// Nobody can tell now.
    #[error("nobody can check credentials now")]
    Unavailable,
}

/// Stands in where nothing can check credentials: never open.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoAuthenticator;

impl Authenticator for NoAuthenticator {
    fn authenticate<'a>(
        &'a self,
        _credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Arc<Principal>, Denied>> {
        Box::pin(async { Err(Denied::Unavailable) })
    }

    fn still_valid<'a>(&'a self, _principal: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async { false })
    }
}
