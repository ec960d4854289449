use cgcg_core::{Conn, Engine, Timestamp, on};

use super::Now;
use crate::TaskId;

/// As it stands in the table.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct ScheduleInDb {
    pub(crate) name: String,
    pub(crate) queue: String,
    pub(crate) task_name: String,
    pub(crate) cron: String,
    pub(crate) tz: String,
    pub(crate) payload: Vec<u8>,
    pub(crate) priority: i16,
    pub(crate) max_attempts: i32,
    pub(crate) timeout_us: i64,
    /// 0 skip, 1 allow.
    pub(crate) overlap: i16,
    pub(crate) catch_up: i32,
    pub(crate) paused: bool,
    pub(crate) next_at: Timestamp,
    pub(crate) last_at: Option<Timestamp>,
    pub(crate) last_id: Option<TaskId>,
    pub(crate) version: i64,
}

macro_rules! select {
    ($rest:literal) => {
        concat!(
            "select name, queue, task_name, cron, tz, payload, priority, max_attempts, timeout_us, overlap, catch_up, \
             paused, next_at, last_at, last_id, version from task_schedule ",
            $rest
        )
    };
}

pub(crate) async fn find(conn: &mut Conn, name: &str) -> sqlx::Result<Option<ScheduleInDb>> {
    if !storable(name) {
        return Ok(None);
    }
    let sql = select!("where name = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(name)
        .fetch_optional(c)
        .await)
}

/// As [`find`]; on PostgreSQL nobody else changes it until the transaction ends.
pub(crate) async fn lock(conn: &mut Conn, name: &str) -> sqlx::Result<Option<ScheduleInDb>> {
    if !storable(name) {
        return Ok(None);
    }
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
pub(crate) async fn list(
    conn: &mut Conn,
    after: &str,
    limit: i64,
) -> sqlx::Result<Vec<ScheduleInDb>> {
    let sql = select!("where name > $1 order by name limit $2");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(after)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Those whose tick has come, the oldest first.
pub(crate) async fn due(conn: &mut Conn, now: Now, limit: i64) -> sqlx::Result<Vec<ScheduleInDb>> {
    let sql = select!(
        "where not paused and next_at <= coalesce($1, (select now from task_clock)) order by next_at limit $2"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Stores it, new or in place of `row.version` (0: there is none); `false` where another version stands there.
pub(crate) async fn put(conn: &mut Conn, now: Now, row: &ScheduleInDb) -> sqlx::Result<bool> {
    let sql = "insert into task_schedule (name, queue, task_name, cron, tz, payload, priority, max_attempts, timeout_us,
                 overlap, catch_up, paused, next_at, created_at, updated_at)
               values ($2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14,
                 coalesce($1, (select now from task_clock)), coalesce($1, (select now from task_clock)))
               on conflict (name) do update set queue = excluded.queue, task_name = excluded.task_name,
                 cron = excluded.cron, tz = excluded.tz, payload = excluded.payload, priority = excluded.priority,
                 max_attempts = excluded.max_attempts, timeout_us = excluded.timeout_us, overlap = excluded.overlap,
                 catch_up = excluded.catch_up, paused = excluded.paused, next_at = excluded.next_at,
                 version = task_schedule.version + 1, updated_at = excluded.updated_at
                 where task_schedule.version = $15
               returning version";
    let version: Option<i64> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .bind(&row.name)
        .bind(&row.queue)
        .bind(&row.task_name)
        .bind(&row.cron)
        .bind(&row.tz)
        .bind(row.payload.as_slice())
        .bind(row.priority)
        .bind(row.max_attempts)
        .bind(row.timeout_us)
        .bind(row.overlap)
        .bind(row.catch_up)
        .bind(row.paused)
        .bind(row.next_at)
        .bind(row.version)
        .fetch_optional(c)
        .await?);
    Ok(version.is_some())
}

/// Takes the tick `row.next_at`, in the transaction that makes its task; `false` where another process took it.
pub(crate) async fn fire(
    conn: &mut Conn,
    row: &ScheduleInDb,
    next_at: Timestamp,
    last_at: Timestamp,
    made: Option<TaskId>,
) -> sqlx::Result<bool> {
    let sql = "update task_schedule set next_at = $3, last_at = $4, last_id = coalesce($5, last_id)
               where name = $1 and next_at = $2 and not paused
               returning version";
    let taken: Option<i64> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(&row.name)
        .bind(row.next_at)
        .bind(next_at)
        .bind(last_at)
        .bind(made)
        .fetch_optional(c)
        .await?);
    Ok(taken.is_some())
}

/// Whether the task has not ended.
pub(crate) async fn busy(conn: &mut Conn, id: TaskId) -> sqlx::Result<bool> {
    let sql = "select state from task where id = $1 and state < 4";
    let state: Option<i16> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_optional(c)
        .await?);
    Ok(state.is_some())
}

/// `false` where there is none.
pub(crate) async fn delete(conn: &mut Conn, name: &str) -> sqlx::Result<bool> {
    if !storable(name) {
        return Ok(false);
    }
    let sql = "delete from task_schedule where name = $1 returning version";
    let gone: Option<i64> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .fetch_optional(c)
        .await?);
    Ok(gone.is_some())
}

/// PostgreSQL cannot even be asked for a text with a NUL.
fn storable(name: &str) -> bool {
    !name.contains('\0')
}
