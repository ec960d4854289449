//! What people look at.

use std::time::Duration;

use cgcg_core::{Conn, Engine, Timestamp, on};
use sqlx::types::Json;

use super::Now;
use crate::micros;
use crate::schemas::{Lease, TaskId};

/// Running tasks, of one queue or of all, after `after`. Either text keeps the planner from the order of the ids, which
/// would lead it past all tasks.
pub(crate) async fn leases(
    conn: &mut Conn,
    queue: Option<&str>,
    after: TaskId,
    limit: i64,
) -> sqlx::Result<Vec<Lease>> {
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "select id, queue, name, coalesce(worker, '') as worker, attempt, started_at, lease_until
             from task indexed by task_ix_running
             where state = 3 and queue = coalesce($1, queue) and id > $2 and started_at is not null
               and lease_until is not null
             order by id limit $3"
        }
        Engine::Postgres => {
            "with r as materialized (
               select id, queue, name, coalesce(worker, '') as worker, attempt, started_at, lease_until from task
               where state = 3 and queue = coalesce($1, queue) and id > $2 and started_at is not null
                 and lease_until is not null)
             select * from r order by id limit $3"
        }
    };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(queue)
        .bind(after)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// How many tasks of a queue are in one state.
#[derive(sqlx::FromRow)]
pub(crate) struct Count {
    pub(crate) queue: String,
    pub(crate) state: i64,
    pub(crate) tasks: i64,
    pub(crate) oldest_at: Option<Timestamp>,
}

/// Those that may be taken and those that run. It reads every entry of their indexes.
pub(crate) async fn counts(conn: &mut Conn) -> sqlx::Result<Vec<Count>> {
    let sql = "select queue, cast(2 as bigint) as state, count(*) as tasks, min(run_at) as oldest_at
               from task where state = 2 group by queue
               union all
               select queue, cast(3 as bigint), count(*), cast(null as bigint) from task where state = 3 group by queue";
    on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await)
}

/// A process that works.
#[derive(sqlx::FromRow)]
pub(crate) struct WorkerInDb {
    pub(crate) id: String,
    pub(crate) host: String,
    pub(crate) pid: i64,
    pub(crate) version: String,
    pub(crate) queues: Json<std::collections::BTreeMap<String, u16>>,
    pub(crate) running: i64,
    pub(crate) started_at: Timestamp,
    pub(crate) seen_at: Timestamp,
    pub(crate) silent: bool,
}

/// Those that gave a sign of life, the newest first; silent is who gave none for `overdue`.
pub(crate) async fn workers(
    conn: &mut Conn,
    now: Now,
    overdue: Duration,
    limit: i64,
) -> sqlx::Result<Vec<WorkerInDb>> {
    let sql = "select id, host, pid, version, queues, running, started_at, seen_at,
                 seen_at < coalesce($1, (select now from task_clock)) - $2 as silent
               from task_worker order by started_at desc, id limit $3";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(micros(overdue))
        .bind(limit)
        .fetch_all(c)
        .await)
}
