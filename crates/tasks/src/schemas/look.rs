use std::collections::BTreeMap;

use cgcg_core::Timestamp;

use super::TaskId;

/// A task that runs, and where.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Lease {
    /// The task.
    pub id: TaskId,
    /// Where it waited.
    pub queue: String,
    /// Which handler does it.
    pub name: String,
    /// Who has it.
    pub worker: String,
    /// Which attempt this is.
    #[sqlx(try_from = "i32")]
    pub attempt: u32,
    /// Taken at.
    pub started_at: Timestamp,
    /// Without a sign of life, over at.
    pub lease_until: Timestamp,
}

/// What a queue has to do, and for whom.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueueLoad {
    /// How many tasks may be taken.
    pub ready: u64,
    /// How many run.
    pub running: u64,
    /// Since when the oldest of those that may be taken could have been.
    pub oldest_at: Option<Timestamp>,
    /// Processes that take from it, without those that are silent. Workers that take their tasks by HTTP are not among
    /// them.
    pub workers: u64,
}

/// A process that works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerLine {
    /// New with each start.
    pub id: String,
    /// Its machine.
    pub host: String,
    /// Its process there.
    pub pid: u32,
    /// Of this crate.
    pub version: String,
    /// How many tasks of each queue it runs at once.
    pub queues: BTreeMap<String, u16>,
    /// How many it ran when it was last seen.
    pub running: u64,
    /// Started at.
    pub started_at: Timestamp,
    /// Last sign of life.
    pub seen_at: Timestamp,
    /// The next one is overdue: it was killed, or cannot reach the database. Such a one leaves the list after ten
    /// leases.
    pub silent: bool,
}
