mod look;
mod payload;
mod queue;
mod row;
mod schedule;
mod trace;
mod word;

use std::time::Duration;

use cgcg_core::{Id, Task, TaskState, Timestamp};

pub use look::{Lease, QueueLoad, WorkerLine};
pub use payload::Payload;
pub use queue::{Queue, QueueLimits, Rate};
pub use row::TaskLine;
pub(crate) use row::{TaskInDb, number, state, text};
pub use schedule::{Overlap, Schedule, ScheduleCreate, ScheduleUpdate};
pub use trace::TraceParent;
pub use word::{Name, QueueName};

/// Names a task.
pub type TaskId = Id<Task>;

/// A task to be made. What is absent comes from the settings.
#[derive(Debug, Clone, PartialEq)]
pub struct TaskCreate {
    /// Which handler does it.
    pub name: Name,
    /// What it is told.
    pub payload: Payload,
    /// Where it waits; `default` where absent.
    pub queue: Option<QueueName>,
    /// Id of the principal that makes it; empty for the program itself.
    pub owner: String,
    /// Not before; at most five years ahead. Not together with `delay`.
    pub run_at: Option<Timestamp>,
    /// Not before so long from now.
    pub delay: Option<Duration>,
    /// 0 to 999; lower runs first. 100 where absent.
    pub priority: Option<i16>,
    /// After so many attempts it fails for good. 1 to 100.
    pub max_attempts: Option<u32>,
    /// The hard end of one attempt. 1 s to 7 d.
    pub timeout: Option<Duration>,
    /// While a task of this owner, name and key has not ended, a second one is not made. 1 to 256 bytes.
    pub unique_key: Option<String>,
    /// With a key: nor within so long after one was made, whatever became of it. At most 7 d.
    pub unique_for: Option<Duration>,
    /// What a queue's limits for each key count by: a customer, a host. 1 to 128 bytes.
    pub concurrency_key: Option<String>,
    /// In which trace it is made; its executions belong there.
    pub trace: Option<TraceParent>,
}

impl TaskCreate {
    /// With nothing but what it needs.
    pub const fn new(name: Name, payload: Payload) -> Self {
        Self {
            name,
            payload,
            queue: None,
            owner: String::new(),
            run_at: None,
            delay: None,
            priority: None,
            max_attempts: None,
            timeout: None,
            unique_key: None,
            unique_for: None,
            concurrency_key: None,
            trace: None,
        }
    }
}

/// What became of a wish to make a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Created {
    /// The task: the new one, or the one that holds the unique key.
    pub id: TaskId,
    /// Whether it was there already.
    pub existing: bool,
    /// Where it stood then.
    pub state: TaskState,
}

/// A change of a task that waits. Absent is unchanged.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TaskUpdate {
    /// Not before; at most five years ahead.
    pub run_at: Option<Timestamp>,
    /// 0 to 999; lower runs first.
    pub priority: Option<i16>,
}

/// What became of a wish to end a task.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cancelled {
    /// It has ended.
    AtOnce,
    /// It runs. Its handler is asked to stop, and whatever but success then ends it.
    Asked,
}

/// Which tasks a list shows: those that fit all that is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TaskFilter {
    /// Of this principal.
    pub owner: Option<String>,
    /// In this state.
    pub state: Option<TaskState>,
    /// In this queue.
    pub queue: Option<QueueName>,
    /// For this handler.
    pub name: Option<Name>,
}
