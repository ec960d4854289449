//! What the holder of a lease may write. All of it is fenced by the task, `lease`, `worker` and the state.
//!
//! On PostgreSQL they are functions, each with its own settings of the planner: see `0006_plans`.

mod complete;
mod settle;

use std::collections::HashSet;
use std::time::Duration;

use cgcg_core::{Conn, Engine, on};
use serde_json::Value;
use sqlx::types::Json;

use super::{Now, column, json};
use crate::{TaskId, micros};
pub(crate) use complete::{Done, complete};
pub(crate) use settle::{Moved, Next, Settled, by_fence, settle};

/// One execution. SQLite finds its row by `seq`, PostgreSQL by `id`, which is the only key there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::FromRow)]
pub(crate) struct Fence {
    pub(crate) id: TaskId,
    pub(crate) seq: i64,
    pub(crate) lease: i64,
}

/// A sign of life.
#[derive(Debug, Clone)]
pub(crate) struct Beat {
    pub(crate) fence: Fence,
    /// What is new.
    pub(crate) progress: Option<Value>,
}

#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Beaten {
    pub(crate) seq: i64,
    pub(crate) cancel_requested: bool,
    /// `false` where another transaction holds the row: ask again.
    pub(crate) renewed: bool,
}

/// Of those that end one execution twice, the first.
fn firsts<T>(items: &[T], holder: impl Fn(&T) -> (Fence, &str)) -> Vec<&T> {
    let mut seen = HashSet::new();
    items
        .iter()
        .filter(|item| seen.insert(holder(item)))
        .collect()
}

/// Renews leases; whoever has no row in the answer has lost its lease.
pub(crate) async fn beat(
    conn: &mut Conn,
    now: Now,
    lease: Duration,
    worker: &str,
    beats: &[Beat],
) -> sqlx::Result<Vec<Beaten>> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "update task set lease_until = $1 + $2, progress = coalesce(b.value ->> 2, progress)
                       from json_each($4) b
                       where task.seq = (b.value ->> 0) and task.lease = (b.value ->> 1) and task.state + 0 = 3
                         and task.worker = $3
                       returning task.seq, cancel_requested, true as renewed";
            let row = |beat: &Beat| (beat.fence.seq, beat.fence.lease, beat.progress.clone());
            let batch = json(&beats.iter().map(row).collect::<Vec<_>>())?;
            on!(conn, |c| sqlx::query_as(sql)
                .bind(now)
                .bind(micros(lease))
                .bind(worker)
                .bind(batch)
                .fetch_all(c)
                .await)
        }
        Engine::Postgres => {
            let sql = "select * from task_beat($1, $2, $3, $4, $5, $6)";
            on!(conn, |c| sqlx::query_as(sql)
                .bind(now)
                .bind(micros(lease))
                .bind(worker)
                .bind(column(beats, |beat| beat.fence.id.uuid()))
                .bind(column(beats, |beat| beat.fence.lease))
                .bind(column(beats, |beat| beat.progress.clone().map(Json)))
                .fetch_all(c)
                .await)
        }
    }
}

/// PostgreSQL: this transaction is over before its commit is on the disk. Only for completions: one that a crash of
/// the server takes away runs again.
pub(crate) async fn relax(conn: &mut Conn) -> sqlx::Result<()> {
    if conn.engine() == Engine::Sqlite {
        return Ok(());
    }
    let sql = "set local synchronous_commit = off";
    on!(conn, |c| sqlx::query(sql).execute(c).await.map(drop))
}
