use cgcg_core::{TaskFailure, TaskState, TaskStatus, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use sqlx::types::Json;

use super::TaskId;
use crate::store::read::Line;

/// The row of a task, whether it has ended or not, without its payload.
#[derive(sqlx::FromRow)]
pub(crate) struct TaskInDb {
    pub(crate) id: TaskId,
    pub(crate) owner: String,
    pub(crate) queue: String,
    pub(crate) name: String,
    pub(crate) state: i16,
    pub(crate) priority: i16,
    pub(crate) run_at: Timestamp,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) cancel_requested: bool,
    pub(crate) progress: Option<Json<Box<RawValue>>>,
    pub(crate) errors: Json<Vec<Failure>>,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
    /// `None` where it has left the hot table.
    pub(crate) seq: Option<i64>,
}

/// As it stands in the row: also the database writes such ones.
#[derive(Deserialize)]
pub(crate) struct Failure {
    at: i64,
    attempt: u32,
    worker: Option<String>,
    code: String,
    #[serde(default)]
    error: Option<String>,
}

impl From<Failure> for TaskFailure {
    fn from(failure: Failure) -> Self {
        Self {
            at: Timestamp::from_micros(failure.at),
            attempt: failure.attempt,
            code: failure.code,
            error: failure.error,
            worker: failure.worker,
        }
    }
}

impl From<TaskInDb> for TaskStatus {
    fn from(row: TaskInDb) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            name: row.name,
            queue: row.queue,
            state: state(row.state),
            attempt: row.attempt.unsigned_abs(),
            max_attempts: row.max_attempts.unsigned_abs(),
            priority: row.priority,
            progress: row.progress.map(|progress| progress.0.get().to_owned()),
            result: row.result.map(text),
            errors: row.errors.0.into_iter().map(Into::into).collect(),
            run_at: row.run_at,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            cancel_requested: row.cancel_requested,
        }
    }
}

/// One line of a list.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskLine {
    /// Its id.
    pub id: TaskId,
    /// Id of the principal that made it; empty for the program itself.
    pub owner: String,
    /// Which handler does it.
    pub name: String,
    /// Where it waits.
    pub queue: String,
    /// Where it stands.
    pub state: TaskState,
    /// Lower runs first.
    pub priority: i16,
    /// How often a worker has taken it.
    pub attempt: u32,
    /// After so many attempts it fails for good.
    pub max_attempts: u32,
    /// What the handler last told, as JSON text.
    pub progress: Option<String>,
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

impl From<Line> for TaskLine {
    fn from(row: Line) -> Self {
        Self {
            id: row.id,
            owner: row.owner,
            name: row.name,
            queue: row.queue,
            state: state(row.state),
            priority: row.priority,
            attempt: row.attempt.unsigned_abs(),
            max_attempts: row.max_attempts.unsigned_abs(),
            progress: row.progress.map(|progress| progress.0.get().to_owned()),
            run_at: row.run_at,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            cancel_requested: row.cancel_requested,
        }
    }
}

/// Results and payloads are written as text.
pub(crate) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}

/// The number in the database. Statements have it as a literal.
pub(crate) const fn number(state: TaskState) -> i16 {
    match state {
        TaskState::Scheduled => 1,
        TaskState::Ready => 2,
        TaskState::Running => 3,
        TaskState::Succeeded => 4,
        TaskState::Failed => 5,
        TaskState::Cancelled => 6,
    }
}

/// Back from the number.
pub(crate) const fn state(number: i16) -> TaskState {
    match number {
        2 => TaskState::Ready,
        3 => TaskState::Running,
        4 => TaskState::Succeeded,
        5 => TaskState::Failed,
        6 => TaskState::Cancelled,
        _ => TaskState::Scheduled,
    }
}
