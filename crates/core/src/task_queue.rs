use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{BoxFuture, Conn, Id, SeamError, Task, Timestamp};

/// Stores work that is done later. Filled by tasks.
pub trait TaskQueue: Send + Sync + 'static {
    /// Stores one task for the handler called `name`; durable when this returns.
    fn create_task<'a>(
        &'a self,
        name: &'a str,
        payload: Value,
    ) -> BoxFuture<'a, Result<Id<Task>, SeamError>>;

    /// Stores a task in the caller's transaction: it exists if that commits.
    fn create_task_in<'a>(
        &'a self,
        conn: &'a mut Conn,
        new: NewTask,
    ) -> BoxFuture<'a, Result<Id<Task>, SeamError>>;

    /// Where a task stands; `None` where there is none, or no longer.
    fn get_task_status<'a>(
        &'a self,
        id: Id<Task>,
    ) -> BoxFuture<'a, Result<Option<TaskStatus>, SeamError>>;
}

/// A task that is not yet stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewTask {
    /// Which handler does it: `mail.send`.
    pub name: Cow<'static, str>,
    /// Any JSON.
    pub payload: Value,
    /// Not before; at once where absent.
    pub run_at: Option<Timestamp>,
    /// While a task with this key is alive, a second one is not made.
    pub unique_key: Option<String>,
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub enum TaskState {
    /// Waits for its time.
    Scheduled,
    /// Waits for a worker.
    Ready,
    /// A worker has it.
    Running,
    /// Done; the result is kept.
    Succeeded,
    /// No attempts left: the dead letter.
    Failed,
    /// Ended by somebody.
    Cancelled,
}

impl TaskState {
    /// Whether it has ended. Only somebody's wish to run it again leads out of it.
    pub const fn ended(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// One attempt that did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TaskFailure {
    /// When.
    pub at: Timestamp,
    /// Which attempt it was, from 1.
    pub attempt: u32,
    /// Stable: `error`, `panic`, `timeout`, `lease_expired`, `payload_invalid`, `result_too_large`.
    pub code: String,
    /// What the handler told, at most 1 KiB.
    pub error: Option<String>,
    /// Who had it.
    pub worker: Option<String>,
}

/// What may be known of a task. Never its payload.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TaskStatus {
    /// Its id.
    pub id: Id<Task>,
    /// Id of the principal that made it; empty for the program itself.
    pub owner: String,
    /// Which handler does it.
    pub name: String,
    /// In which queue it waits.
    pub queue: String,
    /// Where it stands.
    pub state: TaskState,
    /// How often a worker has taken it.
    pub attempt: u32,
    /// After so many attempts it fails for good.
    pub max_attempts: u32,
    /// 0 to 999; lower runs first.
    pub priority: i16,
    /// What the handler last told, as JSON text.
    pub progress: Option<String>,
    /// The JSON text as the handler gave it.
    pub result: Option<String>,
    /// What went wrong, oldest first; the last ten.
    pub errors: Vec<TaskFailure>,
    /// Not before.
    pub run_at: Timestamp,
    /// Stored at.
    pub created_at: Timestamp,
    /// Last taken at.
    pub started_at: Option<Timestamp>,
    /// Ended at.
    pub finished_at: Option<Timestamp>,
    /// Somebody asked a running task to end.
    pub cancel_requested: bool,
}
