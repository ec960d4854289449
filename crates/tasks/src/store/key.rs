//! Keys that are taken for a time: unique-for-a-window, and the names of requests.

use std::time::Duration;

use cgcg_core::{Conn, on};

use super::Now;
use crate::{TaskId, micros};

/// `false` where somebody has the key: read [`find`].
pub(crate) async fn take(
    conn: &mut Conn,
    now: Now,
    key: &[u8],
    body: &[u8],
    id: TaskId,
    time: Duration,
) -> sqlx::Result<bool> {
    let sql = "insert into task_key (key, body, id, expires_at)
               values ($2, $3, $4, coalesce($1, (select now from task_clock)) + $5)
               on conflict (key) do update set id = excluded.id, body = excluded.body, expires_at = excluded.expires_at
                 where task_key.expires_at < excluded.expires_at - $5
               returning expires_at";
    let taken: Option<i64> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .bind(key)
        .bind(body)
        .bind(id)
        .bind(micros(time))
        .fetch_optional(c)
        .await?);
    Ok(taken.is_some())
}

pub(crate) async fn find(conn: &mut Conn, key: &[u8]) -> sqlx::Result<Option<TaskId>> {
    let sql = "select id from task_key where key = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(key)
        .fetch_optional(c)
        .await)
}

/// What was stored with the key.
pub(crate) async fn body(conn: &mut Conn, key: &[u8]) -> sqlx::Result<Option<Vec<u8>>> {
    let sql = "select body from task_key where key = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(key)
        .fetch_optional(c)
        .await)
}

/// Stores something else with a key that was just taken.
pub(crate) async fn write(conn: &mut Conn, key: &[u8], body: &[u8]) -> sqlx::Result<()> {
    let sql = "update task_key set body = $2 where key = $1";
    on!(conn, |c| sqlx::query(sql)
        .bind(key)
        .bind(body)
        .execute(c)
        .await
        .map(drop))
}

/// Lets a key that was just taken stand for another task.
pub(crate) async fn point(conn: &mut Conn, key: &[u8], id: TaskId) -> sqlx::Result<()> {
    let sql = "update task_key set id = $2 where key = $1";
    on!(conn, |c| sqlx::query(sql)
        .bind(key)
        .bind(id)
        .execute(c)
        .await
        .map(drop))
}

/// Removes keys whose time is over.
pub(crate) async fn purge(conn: &mut Conn, now: Now, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from task_key where key in (
                 select key from task_key where expires_at < coalesce($1, (select now from task_clock))
                 order by expires_at limit $2)";
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}
