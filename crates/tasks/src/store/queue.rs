//! Queues with limits.

use std::time::Duration;

use cgcg_core::{Conn, Engine, on};

use super::Now;

/// As it stands in the table.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct QueueInDb {
    pub(crate) name: String,
    pub(crate) paused: bool,
    pub(crate) max_running: Option<i64>,
    pub(crate) max_per_key: Option<i64>,
    pub(crate) rate_n: Option<i64>,
    pub(crate) rate_us: Option<i64>,
    pub(crate) key_rate_n: Option<i64>,
    pub(crate) key_rate_us: Option<i64>,
    /// When the bucket of `rate` is full again.
    pub(crate) rate_tat: i64,
    /// Whether it has any limit.
    pub(crate) gated: bool,
    /// Whether it has one for each key.
    pub(crate) keyed: bool,
    pub(crate) version: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select name, paused, max_running, max_per_key, rate_n, rate_us, key_rate_n, key_rate_us, rate_tat, gated, \
             keyed, version from task_queue ",
            $rest
        )
    };
}

pub(crate) async fn find(conn: &mut Conn, name: &str) -> sqlx::Result<Option<QueueInDb>> {
    let sql = select!("where name = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(name)
        .fetch_optional(c)
        .await)
}

/// As [`find`], and until the transaction ends nobody else passes here: whoever claims from a queue with limits.
pub(crate) async fn gate(conn: &mut Conn, name: &str) -> sqlx::Result<Option<QueueInDb>> {
    // On SQLite the transaction is the only writer already.
    let sql = match conn.engine() {
        Engine::Sqlite => select!("where name = $1"),
        Engine::Postgres => select!("where name = $1 for update"),
    };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(name)
        .fetch_optional(c)
        .await)
}

/// By name, of those after `after`.
pub(crate) async fn list(conn: &mut Conn, after: &str, limit: i64) -> sqlx::Result<Vec<QueueInDb>> {
    let sql = select!("where name > $1 order by name limit $2");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(after)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Stores it, new or in place of `row.version` (0: there is none); `None` where another version stands there.
pub(crate) async fn put(conn: &mut Conn, now: Now, row: &QueueInDb) -> sqlx::Result<Option<i64>> {
    let sql = "insert into task_queue (name, paused, max_running, max_per_key, rate_n, rate_us, key_rate_n, key_rate_us,
                 updated_at)
               values ($2, $3, $4, $5, $6, $7, $8, $9, coalesce($1, (select now from task_clock)))
               on conflict (name) do update set paused = excluded.paused, max_running = excluded.max_running,
                 max_per_key = excluded.max_per_key, rate_n = excluded.rate_n, rate_us = excluded.rate_us,
                 key_rate_n = excluded.key_rate_n, key_rate_us = excluded.key_rate_us, rate_tat = 0,
                 version = task_queue.version + 1, updated_at = excluded.updated_at
                 where task_queue.version = $10
               returning version";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .bind(&row.name)
        .bind(row.paused)
        .bind(row.max_running)
        .bind(row.max_per_key)
        .bind(row.rate_n)
        .bind(row.rate_us)
        .bind(row.key_rate_n)
        .bind(row.key_rate_us)
        .bind(row.version)
        .fetch_optional(c)
        .await)
}

/// How many of its tasks run, in all processes.
pub(crate) async fn running(conn: &mut Conn, name: &str) -> sqlx::Result<i64> {
    let sql = "select count(*) from task where queue = $1 and state = 3";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .fetch_one(c)
        .await)
}

/// Its bucket is full again at `full_at`.
pub(crate) async fn spend(conn: &mut Conn, name: &str, full_at: i64) -> sqlx::Result<()> {
    let sql = "update task_queue set rate_tat = $2 where name = $1";
    on!(conn, |c| sqlx::query(sql)
        .bind(name)
        .bind(full_at)
        .execute(c)
        .await
        .map(drop))
}

/// The bucket of one key is full again at `full_at`.
pub(crate) async fn spend_key(
    conn: &mut Conn,
    name: &str,
    key: &str,
    full_at: i64,
) -> sqlx::Result<()> {
    let sql = "insert into task_rate (queue, conc_key, tat) values ($1, $2, $3)
               on conflict (queue, conc_key) do update set tat = excluded.tat";
    on!(conn, |c| sqlx::query(sql)
        .bind(name)
        .bind(key)
        .bind(full_at)
        .execute(c)
        .await
        .map(drop))
}

/// Ready tasks without a key share the key ''. For a queue that got its first limit for each key; answers how many
/// were not stamped yet.
pub(crate) async fn stamp(conn: &mut Conn, name: &str, limit: i64) -> sqlx::Result<u64> {
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "update task set conc_key = '' where seq in (
               select seq from task where queue = $1 and state = 2 and conc_key is null limit $2)"
        }
        Engine::Postgres => {
            "update task set conc_key = '' where id = any (array(
               select id from task where queue = $1 and state = 2 and conc_key is null limit $2))"
        }
    };
    on!(conn, |c| sqlx::query(sql)
        .bind(name)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}

/// Those with a limit for each key.
pub(crate) async fn keyed(conn: &mut Conn) -> sqlx::Result<Vec<String>> {
    let sql = "select name from task_queue where keyed order by name";
    on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await)
}

/// Removes buckets that are full for so long that none can matter.
pub(crate) async fn purge_rates(conn: &mut Conn, now: Now, age: Duration) -> sqlx::Result<u64> {
    let sql = "delete from task_rate where tat < coalesce($1, (select now from task_clock)) - $2";
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .bind(crate::micros(age))
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}
