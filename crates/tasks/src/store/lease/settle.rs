use std::collections::HashMap;
use std::time::Duration;

use cgcg_core::{Conn, Engine, on};
use serde_json::Value;
use sqlx::types::Json;

use super::super::{Now, column, json};
use super::{Fence, firsts};
use crate::{TaskId, micros};

/// What becomes of an execution that was no success.
#[derive(Debug, Clone)]
pub(crate) struct Settled {
    pub(crate) fence: Fence,
    pub(crate) worker: String,
    pub(crate) next: Next,
    /// What went wrong.
    pub(crate) error: Option<Value>,
}

/// Where a task goes that was asked to stop is not for its worker to say: it ends as cancelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Next {
    /// Runs again after a time.
    Retry(Duration),
    /// Runs again after a time, and that was no attempt.
    Snooze(Duration),
    /// Runs again at once in its old place, and that was no attempt.
    Release,
    /// The dead letter.
    Fail,
    /// Its worker gave up at the wish of somebody.
    Cancel,
}

impl Next {
    const fn state(self) -> i16 {
        match self {
            Self::Retry(_) | Self::Snooze(_) => 1,
            Self::Release => 2,
            Self::Fail => 5,
            Self::Cancel => 6,
        }
    }

    fn delay(self) -> Option<i64> {
        match self {
            Self::Retry(time) | Self::Snooze(time) => Some(micros(time)),
            Self::Release | Self::Fail | Self::Cancel => None,
        }
    }

    /// Attempts that do not count.
    const fn back(self) -> i32 {
        matches!(self, Self::Snooze(_) | Self::Release) as i32
    }
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Moved {
    pub(crate) seq: i64,
    pub(crate) lease: i64,
    pub(crate) id: TaskId,
    pub(crate) state: i16,
    pub(crate) queue: String,
}

/// Gives tasks back; answers each whose lease held, with its new state. One that ends keeps its worker, which may ask
/// whether it did.
pub(crate) async fn settle(
    conn: &mut Conn,
    now: Now,
    settled: &[Settled],
) -> sqlx::Result<Vec<Moved>> {
    let settled = &firsts(settled, |row| (row.fence, &row.worker))[..];
    match conn.engine() {
        Engine::Sqlite => settle_sqlite(conn, now, settled).await,
        Engine::Postgres => {
            let sql = "select * from task_settle($1, $2, $3, $4, $5, $6, $7, $8)";
            on!(conn, |c| sqlx::query_as(sql)
                .bind(now)
                .bind(column(settled, |row| row.fence.id.uuid()))
                .bind(column(settled, |row| row.fence.lease))
                .bind(column(settled, |row| row.worker.clone()))
                .bind(column(settled, |row| row.next.state()))
                .bind(column(settled, |row| row.next.delay()))
                .bind(column(settled, |row| row.next.back()))
                .bind(column(settled, |row| row.error.clone().map(Json)))
                .fetch_all(c)
                .await)
        }
    }
}

async fn settle_sqlite(
    conn: &mut Conn,
    now: Now,
    settled: &[&Settled],
) -> sqlx::Result<Vec<Moved>> {
    let sql = "update task set
                 state = case when cancel_requested then 6 else b.value ->> 3 end,
                 run_at = case when b.value ->> 4 is null then run_at else $1 + (b.value ->> 4) end,
                 attempt = attempt - (b.value ->> 5),
                 errors = case when b.value ->> 6 is null then errors
                   else json_insert(
                     case when json_array_length(errors) >= 10 then json_remove(errors, '$[0]') else errors end,
                     '$[#]', json(b.value ->> 6)) end,
                 finished_at = case when cancel_requested or b.value ->> 3 >= 4 then $1 end,
                 conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = task.queue and q.keyed)),
                 lease_until = null, deadline_at = null,
                 worker = case when cancel_requested or b.value ->> 3 >= 4 then worker end
               from json_each($2) b
               where task.seq = (b.value ->> 0) and task.lease = (b.value ->> 1) and task.state + 0 = 3
                 and task.worker = (b.value ->> 2)
               returning task.seq, task.lease, task.id, task.state, task.queue";
    let row = |row: &&Settled| {
        let (fence, next) = (row.fence, row.next);
        let error = row.error.clone();
        (
            fence.seq,
            fence.lease,
            row.worker.clone(),
            next.state(),
            next.delay(),
            next.back(),
            error,
        )
    };
    let batch = json(&settled.iter().map(row).collect::<Vec<_>>())?;
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(batch)
        .fetch_all(c)
        .await)
}

/// By fence, for whoever asks about one of a batch.
pub(crate) fn by_fence(moved: Vec<Moved>) -> HashMap<Fence, Moved> {
    let fence = |task: &Moved| Fence {
        id: task.id,
        seq: task.seq,
        lease: task.lease,
    };
    moved.into_iter().map(|task| (fence(&task), task)).collect()
}
