//! Tasks as they are answered.

use cgcg_core::{TaskFailure, TaskState, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{Created, Payload, TaskId, TaskLine, TaskStatus};

/// What became of a wish to make a task.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(super) struct TaskCreated {
    /// The task: the new one, or the one that holds the unique key.
    pub(super) id: TaskId,
    /// Where it stood then.
    pub(super) state: TaskState,
    /// Whether it was there already.
    pub(super) existing: bool,
}

impl From<Created> for TaskCreated {
    fn from(created: Created) -> Self {
        Self {
            id: created.id,
            state: created.state,
            existing: created.existing,
        }
    }
}

/// A task and how it stands.
#[derive(Serialize, ToSchema)]
pub(super) struct Task {
    /// Its id.
    id: TaskId,
    /// Id of the user or service account that made it; empty for the program itself.
    owner: String,
    /// Which handler does it.
    name: String,
    /// In which queue it waits.
    queue: String,
    /// Where it stands.
    state: TaskState,
    /// How often a worker has taken it.
    attempt: u32,
    /// After so many attempts it fails for good.
    max_attempts: u32,
    /// 0 to 999; lower runs first.
    priority: i16,
    /// What its worker last told.
    #[schema(value_type = Option<Progress>, required = true)]
    progress: Option<Box<RawValue>>,
    /// What it was done with, as its worker gave it; `null` where it gave nothing.
    #[schema(value_type = Value, required = true)]
    result: Option<Box<RawValue>>,
    /// What went wrong, oldest first; the last ten.
    errors: Vec<TaskFailure>,
    /// Not before.
    run_at: Timestamp,
    /// Stored at.
    created_at: Timestamp,
    /// Last taken at.
    #[schema(required = true)]
    started_at: Option<Timestamp>,
    /// Ended at.
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    /// Somebody asked a running task to end.
    cancel_requested: bool,
    /// What it was told, byte for byte; only with `include=payload`, and where it was kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
}

/// How far a task is.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Progress {
    /// Per cent.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(minimum = 0, maximum = 100)]
    pub(super) pct: Option<i64>,
    /// For people; at most 1 KiB.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) msg: Option<String>,
    /// For programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) data: Option<serde_json::Value>,
}

impl Task {
    pub(super) fn with(mut self, payload: Option<Payload>) -> Self {
        self.payload = payload.map(Payload::into_string).and_then(raw);
        self
    }
}

impl From<TaskStatus> for Task {
    fn from(status: TaskStatus) -> Self {
        Self {
            id: status.id,
            owner: status.owner,
            name: status.name,
            queue: status.queue,
            state: status.state,
            attempt: status.attempt,
            max_attempts: status.max_attempts,
            priority: status.priority,
            progress: status.progress.and_then(raw),
            result: status.result.and_then(raw),
            errors: status.errors,
            run_at: status.run_at,
            created_at: status.created_at,
            started_at: status.started_at,
            finished_at: status.finished_at,
            cancel_requested: status.cancel_requested,
            payload: None,
        }
    }
}

/// A task in a list: without its result and its errors.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskLine)]
pub(super) struct Line {
    /// Its id.
    id: TaskId,
    /// Id of the user or service account that made it; empty for the program itself.
    owner: String,
    /// Which handler does it.
    name: String,
    /// In which queue it waits.
    queue: String,
    /// Where it stands.
    state: TaskState,
    /// How often a worker has taken it.
    attempt: u32,
    /// After so many attempts it fails for good.
    max_attempts: u32,
    /// 0 to 999; lower runs first.
    priority: i16,
    /// What its worker last told.
    #[schema(value_type = Option<Progress>, required = true)]
    progress: Option<Box<RawValue>>,
    /// Not before.
    run_at: Timestamp,
    /// Stored at.
    created_at: Timestamp,
    /// Last taken at.
    #[schema(required = true)]
    started_at: Option<Timestamp>,
    /// Ended at.
    #[schema(required = true)]
    finished_at: Option<Timestamp>,
    /// Somebody asked a running task to end.
    cancel_requested: bool,
}

impl From<TaskLine> for Line {
    fn from(line: TaskLine) -> Self {
        Self {
            id: line.id,
            owner: line.owner,
            name: line.name,
            queue: line.queue,
            state: line.state,
            attempt: line.attempt,
            max_attempts: line.max_attempts,
            priority: line.priority,
            progress: line.progress.and_then(raw),
            run_at: line.run_at,
            created_at: line.created_at,
            started_at: line.started_at,
            finished_at: line.finished_at,
            cancel_requested: line.cancel_requested,
        }
    }
}

/// JSON text as it is. It was checked on its way in.
pub(super) fn raw(text: String) -> Option<Box<RawValue>> {
    RawValue::from_string(text).ok()
}
