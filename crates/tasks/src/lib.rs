#![doc = include_str!("../README.md")]

mod batch;
mod cron;
mod error;
mod floors;
mod gate;
mod host;
mod limits;
mod message;
#[cfg(feature = "router")]
mod router;
mod schemas;
pub mod scopes;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod typed;
mod wake;
mod worker;

use std::time::Duration;

use cgcg_core::{Migrations, Step};

pub use cgcg_core::{TaskFailure, TaskState, TaskStatus};
pub use error::Error;
pub use host::Host;
pub use message::TOPICS;
pub use schemas::{
    Cancelled, Created, Lease, Name, Overlap, Payload, Queue, QueueLimits, QueueLoad, QueueName,
    Rate, Schedule, ScheduleCreate, ScheduleUpdate, TaskCreate, TaskFilter, TaskId, TaskLine,
    TaskUpdate, TraceParent, WorkerLine,
};
pub use service::{Answered, IdempotencyKey, Service};
pub use settings::{Announce, Settings};
pub use typed::{Defaults, TaskBuilder, TypedTask};
pub use worker::{Handlers, TaskCtx, TaskError, Worker};

/// The tables of this feature.
pub static MIGRATIONS: Migrations = Migrations {
    ledger: "_migrations_tasks",
    steps: &[
        Step {
            version: 1,
            name: "init",
            sqlite: include_str!("../migrations/0001_init.sqlite.sql"),
            postgres: include_str!("../migrations/0001_init.postgres.sql"),
        },
        Step {
            version: 2,
            name: "owner",
            sqlite: include_str!("../migrations/0002_owner.sqlite.sql"),
            postgres: include_str!("../migrations/0002_owner.postgres.sql"),
        },
        Step {
            version: 3,
            name: "ended by",
            sqlite: include_str!("../migrations/0003_ended_by.sqlite.sql"),
            postgres: include_str!("../migrations/0003_ended_by.postgres.sql"),
        },
        Step {
            version: 4,
            name: "pick",
            sqlite: include_str!("../migrations/0004_pick.sqlite.sql"),
            postgres: include_str!("../migrations/0004_pick.postgres.sql"),
        },
        Step {
            version: 5,
            name: "key",
            sqlite: include_str!("../migrations/0005_key.sqlite.sql"),
            postgres: include_str!("../migrations/0005_key.postgres.sql"),
        },
        Step {
            version: 6,
            name: "plans",
            sqlite: include_str!("../migrations/0006_plans.sqlite.sql"),
            postgres: include_str!("../migrations/0006_plans.postgres.sql"),
        },
        Step {
            version: 7,
            name: "floor",
            sqlite: include_str!("../migrations/0007_floor.sqlite.sql"),
            postgres: include_str!("../migrations/0007_floor.postgres.sql"),
        },
    ],
};

/// As the database wants it.
fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}
