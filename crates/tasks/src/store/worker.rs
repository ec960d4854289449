//! Who is alive: for people, never for correctness.

use std::time::Duration;

use cgcg_core::{Conn, on};
use serde_json::Value;
use sqlx::types::Json;

use super::Now;
use crate::micros;

/// A process that works.
pub(crate) struct Seen<'a> {
    pub(crate) id: &'a str,
    pub(crate) host: &'a str,
    pub(crate) pid: i64,
    pub(crate) queues: Value,
    pub(crate) running: i64,
}

pub(crate) async fn seen(conn: &mut Conn, now: Now, worker: &Seen<'_>) -> sqlx::Result<()> {
    let sql = "insert into task_worker (id, host, pid, version, queues, running, started_at, seen_at)
               values ($2, $3, $4, $5, $6, $7, coalesce($1, (select now from task_clock)),
                 coalesce($1, (select now from task_clock)))
               on conflict (id) do update set running = excluded.running, seen_at = excluded.seen_at";
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .bind(worker.id)
        .bind(worker.host)
        .bind(worker.pid)
        .bind(env!("CARGO_PKG_VERSION"))
        .bind(Json(&worker.queues))
        .bind(worker.running)
        .execute(c)
        .await
        .map(drop))
}

/// Removes a worker that ends, and all that were silent for so long.
pub(crate) async fn gone(
    conn: &mut Conn,
    now: Now,
    id: &str,
    silence: Duration,
) -> sqlx::Result<()> {
    let sql = "delete from task_worker where id = $2 or seen_at < coalesce($1, (select now from task_clock)) - $3";
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .bind(id)
        .bind(micros(silence))
        .execute(c)
        .await
        .map(drop))
}
