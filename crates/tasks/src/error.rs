use cgcg_core::{GroupError, Invalid, SeamError, TaskState};

use crate::TaskId;

/// What can go wrong, one variant per thing that a caller may do differently. But for [`Error::Unknown`], nothing was
/// changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no such task, or no longer.
    #[error("no such task")]
    NotFound,
    /// It has ended: there is nothing left to cancel or to change.
    #[error("the task has ended")]
    Finished(TaskState),
    /// A worker has it. Cancel it first, or wait for its end.
    #[error("the task is running")]
    Running,
    /// It waits: there is nothing to delete yet. Cancel it first.
    #[error("the task has not ended")]
    NotFinished,
    /// It succeeded. Make a new one.
    #[error("a task that succeeded does not run again")]
    NotRetryable,
    /// Another live task has its unique key.
    #[error("another task holds the unique key")]
    UniqueKeyTaken {
        /// That one, if it is still there.
        existing: Option<TaskId>,
    },
    /// A field of the request does not fit.
    #[error("{field}: {invalid}")]
    Invalid {
        /// Its name in the request.
        field: &'static str,
        /// Code and rule.
        invalid: Invalid,
    },
    /// The name or the queue belongs to the program itself.
    #[error("this name belongs to the program itself")]
    NameReserved,
    /// The settings do not give this queue to the caller.
    #[error("the settings do not give this queue to you")]
    QueueNotAllowed,
    /// More tasks at once than allowed.
    #[error("at most {limit} at once")]
    BatchTooLarge {
        /// Of them.
        limit: usize,
    },
    /// Too many calls wait already. Come again later, or do not wait.
    #[error("too many calls wait already")]
    TooManyWaiters,
    /// Too many streams are open already. Close one, or come again later.
    #[error("too many streams are open already")]
    TooManyStreams,
    /// The name of a request is empty, longer than 255 bytes, or no printable ASCII.
    #[error("the idempotency key has 1 to 255 letters of printable ASCII")]
    IdempotencyKeyInvalid,
    /// Another request had this name within its time.
    #[error("the idempotency key was used for another request")]
    IdempotencyKeyReused,
    /// There is a schedule of this name.
    #[error("there is a schedule of this name")]
    ScheduleTaken,
    /// The payload or the result is larger than the settings allow. Store it elsewhere, and its address here.
    #[error("larger than the limit of {limit} bytes")]
    TooLarge {
        /// In bytes.
        limit: usize,
    },
    /// Others change it all the time. Try again.
    #[error("others changed it meanwhile")]
    Changed,
    /// The lease is over, and another execution may run. Stop, throw the result away, roll back.
    #[error("the lease is lost")]
    LeaseLost,
    /// The connection is of another database than the queue: nothing could be stored in one transaction.
    #[error("the connection is of another database")]
    OtherDatabase,
    /// Two handlers have one name.
    #[error("two handlers are called {0}")]
    TwoHandlers(String),
    /// The system gave no thread, so heartbeats could stop when handlers block.
    #[error("no thread for heartbeats: {0}")]
    Thread(String),
    /// The commit, or the one statement that is its own, did not answer: perhaps it is stored. With a unique key it can be
    /// repeated; without one that may make it twice.
    #[error("the database did not answer; perhaps the task is stored")]
    Unknown(#[source] sqlx::Error),
    /// The database failed. Trying again may help.
    #[error("the database failed")]
    Database(#[from] sqlx::Error),
}

impl Error {
    pub(crate) fn invalid(
        field: &'static str,
        code: &'static str,
        rule: impl Into<String>,
    ) -> Self {
        Self::Invalid {
            field,
            invalid: Invalid::new(code, rule),
        }
    }
}

impl From<GroupError> for Error {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::NotStored(error) => Self::Database(error),
            GroupError::Unknown(error) => Self::Unknown(error),
        }
    }
}

impl From<Error> for SeamError {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::Database(error) => Self::Database(error),
            Error::Unknown(_) => Self::Unknown(detail),
            Error::OtherDatabase => Self::OtherDatabase,
            Error::Invalid { invalid, .. } => Self::Refused {
                code: invalid.code,
                detail,
            },
            Error::TooLarge { .. } => Self::Refused {
                code: "payload_too_large",
                detail,
            },
            Error::UniqueKeyTaken { .. } => Self::Refused {
                code: "unique_key_taken",
                detail,
            },
            _ => Self::Refused {
                code: "task_refused",
                detail,
            },
        }
    }
}
