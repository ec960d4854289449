use std::collections::HashSet;
use std::time::Duration;

use cgcg_core::{Conn, Engine, Timestamp, on};
use serde_json::value::RawValue;
use sqlx::types::Json;

use super::blob::{self, Kind};
use super::{Now, column, json};
use crate::TaskId;
use crate::schemas::{TaskFilter, TaskInDb};

/// With its result.
pub(crate) async fn find(conn: &mut Conn, id: TaskId) -> sqlx::Result<Option<TaskInDb>> {
    let sql = "select id, owner, queue, name, state, priority, run_at, attempt, max_attempts, cancel_requested, progress,
                 errors, result, created_at, started_at, finished_at, seq
               from task_all where id = $1";
    let mut found: Option<TaskInDb> = on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await?);
    if let Some(task) = &mut found
        && let (Engine::Sqlite, 4, None, Some(seq)) =
            (conn.engine(), task.state, &task.result, task.seq)
    {
        task.result = blob::find(conn, &[seq], Kind::Result).await?.remove(&seq);
    }
    Ok(found)
}

/// The principal that made it; empty for the program itself.
pub(crate) async fn owner(conn: &mut Conn, id: TaskId) -> sqlx::Result<Option<String>> {
    let sql = "select owner from task_all where id = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// What it was told; `None` where it is unknown, or its payload was not kept.
pub(crate) async fn payload(conn: &mut Conn, id: TaskId) -> sqlx::Result<Option<Vec<u8>>> {
    let sql = "select payload, seq from task_all where id = $1";
    let row: Option<(Option<Vec<u8>>, Option<i64>)> = on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await?);
    match (row, conn.engine()) {
        (Some((None, Some(seq))), Engine::Sqlite) => {
            Ok(blob::find(conn, &[seq], Kind::Payload).await?.remove(&seq))
        }
        (row, _) => Ok(row.and_then(|(payload, _)| payload)),
    }
}

/// Those of these tasks that have not ended.
pub(crate) async fn open(conn: &mut Conn, ids: &[TaskId]) -> sqlx::Result<HashSet<TaskId>> {
    let open: Vec<TaskId> = match conn.engine() {
        Engine::Sqlite => {
            let sql = "select id from task where id in (select unhex(value) from json_each($1)) and state < 4";
            let hex = |id: &TaskId| id.uuid().simple().to_string();
            let ids = json(&ids.iter().map(hex).collect::<Vec<_>>())?;
            on!(conn, |c| sqlx::query_scalar(sql)
                .bind(ids)
                .fetch_all(c)
                .await?)
        }
        Engine::Postgres => {
            let sql = "select id from task where id = any ($1) and state < 4";
            on!(conn, |c| sqlx::query_scalar(sql)
                .bind(column(ids, |id| id.uuid()))
                .fetch_all(c)
                .await?)
        }
    };
    Ok(open.into_iter().collect())
}

/// One line of a list: no result, no errors.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Line {
    pub(crate) id: TaskId,
    pub(crate) owner: String,
    pub(crate) queue: String,
    pub(crate) name: String,
    pub(crate) state: i16,
    pub(crate) priority: i16,
    pub(crate) run_at: Timestamp,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) cancel_requested: bool,
    pub(crate) progress: Option<Json<Box<RawValue>>>,
    pub(crate) created_at: Timestamp,
    pub(crate) started_at: Option<Timestamp>,
    pub(crate) finished_at: Option<Timestamp>,
}

/// The rows that a list walks. `owner <> ''` is what the index of owners is about: without it, it is not used.
macro_rules! walk {
    (all, $then:literal) => {
        concat!(
            "select * from task_all where id < $1 order by id desc ",
            $then
        )
    };
    (owned, $then:literal) => {
        concat!(
            "select * from task_all where owner = $3 and owner <> '' and id < $1 order by id desc ",
            $then
        )
    };
}

/// The page of a walk.
macro_rules! page {
    ($rows:ident) => {
        concat!(
            "select id, owner, queue, name, state, priority, run_at, attempt, max_attempts, cancel_requested, progress,
               created_at, started_at, finished_at
             from (",
            walk!($rows, "limit $2"),
            ") w
             where owner = coalesce($3, owner) and state = coalesce($4, state) and queue = coalesce($5, queue)
               and name = coalesce($6, name)
             order by id desc limit $7"
        )
    };
}

/// Newest first, of those before `before`. It looks at `looks` rows and no more, however few of them fit: of one owner
/// at theirs alone.
pub(crate) async fn list(
    conn: &mut Conn,
    before: TaskId,
    looks: i64,
    filter: &TaskFilter,
    limit: i64,
) -> sqlx::Result<Vec<Line>> {
    let sql = match owned(filter) {
        true => page!(owned),
        false => page!(all),
    };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(before)
        .bind(looks)
        .bind(filter.owner.as_deref())
        .bind(filter.state.map(crate::schemas::number))
        .bind(filter.queue.as_ref().map(|queue| queue.as_str()))
        .bind(filter.name.as_ref().map(|name| name.as_str()))
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Where [`list`] stopped looking; `None` where it saw the end.
pub(crate) async fn floor(
    conn: &mut Conn,
    before: TaskId,
    looks: i64,
    filter: &TaskFilter,
) -> sqlx::Result<Option<TaskId>> {
    let sql = match owned(filter) {
        true => concat!(
            "select id from (",
            walk!(owned, "limit 1 offset $2 - 1"),
            ") w"
        ),
        false => concat!(
            "select id from (",
            walk!(all, "limit 1 offset $2 - 1"),
            ") w"
        ),
    };
    let owner = filter.owner.as_deref();
    on!(conn, |c| {
        let query = sqlx::query_scalar(sql).bind(before).bind(looks);
        let query = match owned(filter) {
            true => query.bind(owner),
            false => query,
        };
        query.fetch_optional(c).await
    })
}

/// Whether one principal's tasks are asked for. Those of the program itself are in no index of their own.
fn owned(filter: &TaskFilter) -> bool {
    filter
        .owner
        .as_deref()
        .is_some_and(|owner| !owner.is_empty())
}

/// How long until the next scheduled task is due: none where it is already. `None` where nothing is scheduled.
pub(crate) async fn next_due(conn: &mut Conn, now: Now) -> sqlx::Result<Option<Duration>> {
    let sql =
        "select min(run_at) - coalesce($1, (select now from task_clock)) from task where state = 1";
    let left: Option<i64> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .fetch_one(c)
        .await?);
    Ok(left.map(|left| Duration::from_micros(u64::try_from(left).unwrap_or_default())))
}

/// The live task that has the unique key of `id`.
pub(crate) async fn key_holder(conn: &mut Conn, id: TaskId) -> sqlx::Result<Option<TaskId>> {
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "select id from task where unique_key is not null and state < 4
               and unique_key = (select unique_key from task where id = $1)"
        }
        Engine::Postgres => {
            "select id from task where unique_key is not null and state < 4
               and unique_key = coalesce((select unique_key from task where id = $1),
                 (select unique_key from task_done where id = $1))"
        }
    };
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}
