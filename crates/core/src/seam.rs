use std::error::Error;
use std::future::Future;
use std::pin::Pin;

/// What the methods of a seam answer: boxed, so that a seam can be an `Arc<dyn …>`.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Any failure of background work.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// Why a [`crate::Publisher`] or a [`crate::TaskQueue`] did not do it. Inside a transaction: roll back.
#[derive(Debug, thiserror::Error)]
pub enum SeamError {
    /// It will never be taken as it is.
    #[error("refused ({code}): {detail}")]
    Refused {
        /// Stable, of the feature that refused.
        code: &'static str,
        /// For people.
        detail: String,
    },
    /// Not stored. Trying again may help.
    #[error("not available: {0}")]
    Unavailable(String),
    /// Perhaps stored. Repeat with the same id or unique key.
    #[error("outcome unknown: {0}")]
    Unknown(String),
    /// The connection belongs to another database than the feature's own.
    #[error("the connection is of another database")]
    OtherDatabase,
    /// The database failed.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}
