use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::io;
use std::sync::Arc;

use sqlx::error::{DatabaseError, ErrorKind};

use super::GroupError;
use crate::Trouble;

/// What ended a transaction, for each of its callers.
pub(super) struct Failure {
    error: Arc<sqlx::Error>,
    /// Whether it is sure that nothing is stored.
    untouched: bool,
}

impl Failure {
    /// Before the commit.
    pub(super) fn early(error: sqlx::Error) -> Self {
        Self {
            error: Arc::new(error),
            untouched: true,
        }
    }

    /// Of the commit itself.
    pub(super) fn late(error: sqlx::Error) -> Self {
        Self {
            untouched: matches!(Trouble::of(&error), Trouble::Busy | Trouble::Full),
            error: Arc::new(error),
        }
    }

    /// An error of their own for one caller.
    pub(super) fn tell(&self) -> GroupError {
        let error = share(&self.error);
        match self.untouched {
            true => GroupError::NotStored(error),
            false => GroupError::Unknown(error),
        }
    }
}

/// sqlx's errors cannot be cloned. What callers look at stays: kind, code, text.
fn share(error: &Arc<sqlx::Error>) -> sqlx::Error {
    match &**error {
        sqlx::Error::Database(_) => sqlx::Error::Database(Box::new(Shared(error.clone()))),
        sqlx::Error::PoolTimedOut => sqlx::Error::PoolTimedOut,
        sqlx::Error::PoolClosed => sqlx::Error::PoolClosed,
        sqlx::Error::WorkerCrashed => sqlx::Error::WorkerCrashed,
        sqlx::Error::Io(error) => sqlx::Error::Io(io::Error::new(error.kind(), error.to_string())),
        other => sqlx::Error::Protocol(other.to_string()),
    }
}

/// An error of the database that several callers have.
struct Shared(Arc<sqlx::Error>);

impl Shared {
    fn inner(&self) -> Option<&(dyn DatabaseError + 'static)> {
        self.0.as_database_error()
    }
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message())
    }
}

impl StdError for Shared {}

impl DatabaseError for Shared {
    fn message(&self) -> &str {
        self.inner().map_or("", DatabaseError::message)
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        self.inner()?.code()
    }

    fn constraint(&self) -> Option<&str> {
        self.inner()?.constraint()
    }

    fn table(&self) -> Option<&str> {
        self.inner()?.table()
    }

    fn kind(&self) -> ErrorKind {
        self.inner().map_or(ErrorKind::Other, DatabaseError::kind)
    }

    fn as_error(&self) -> &(dyn StdError + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn StdError + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn StdError + Send + Sync + 'static> {
        self
    }
}
