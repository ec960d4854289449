//! What comes before a worker over HTTP may do something.

use cgcg_core::{Array, Conn, Engine, on};

use super::json;
use crate::TaskId;

/// Ready tasks that are looked at for their names.
const LOOKS: i64 = 1_000;

/// The names among the first ready tasks of a queue.
pub(crate) async fn ready_names(conn: &mut Conn, queue: &str) -> sqlx::Result<Vec<String>> {
    let sql = "select distinct name from (
                 select name from task where queue = $1 and state = 2 order by priority, run_at, seq limit $2) r";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(queue)
        .bind(LOOKS)
        .fetch_all(c)
        .await)
}

/// What a worker that knows only the id needs of a running task.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Run {
    pub(crate) id: TaskId,
    pub(crate) seq: i64,
    pub(crate) lease: i64,
    pub(crate) worker: Option<String>,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
}

/// Of those that run; the rest has no row.
pub(crate) async fn runs(conn: &mut Conn, ids: &[TaskId]) -> sqlx::Result<Vec<Run>> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "select id, seq, lease, worker, attempt, max_attempts from task
                       where id in (select unhex(value) from json_each($1)) and state + 0 = 3";
            let ids = hex(ids)?;
            on!(conn, |c| sqlx::query_as(sql).bind(ids).fetch_all(c).await)
        }
        Engine::Postgres => {
            let sql = "select id, seq, lease, worker, attempt, max_attempts from task where id = any ($1::uuid[]) and state + 0 = 3";
            let ids: Array<_> = ids.iter().map(|id| id.uuid()).collect();
            on!(conn, |c| sqlx::query_as(sql)
                .bind(ids.clone())
                .fetch_all(c)
                .await)
        }
    }
}

/// A task that has ended, and the lease under which its worker ended it.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Ended {
    pub(crate) id: TaskId,
    pub(crate) lease: i64,
    pub(crate) state: i16,
}

/// Those that `worker` itself ended. What anything else ended has no worker.
pub(crate) async fn ended(
    conn: &mut Conn,
    worker: &str,
    ids: &[TaskId],
) -> sqlx::Result<Vec<Ended>> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "select id, lease, state from task
                       where id in (select unhex(value) from json_each($1)) and state + 0 >= 4 and worker = $2";
            let ids = hex(ids)?;
            on!(conn, |c| sqlx::query_as(sql)
                .bind(ids)
                .bind(worker)
                .fetch_all(c)
                .await)
        }
        Engine::Postgres => {
            let sql = "select id, lease, state from task where id = any ($1::uuid[]) and state + 0 >= 4 and worker = $2
                       union all
                       select id, lease, state from task_done where id = any ($1::uuid[]) and worker = $2";
            let ids: Array<_> = ids.iter().map(|id| id.uuid()).collect();
            on!(conn, |c| sqlx::query_as(sql)
                .bind(ids.clone())
                .bind(worker)
                .fetch_all(c)
                .await)
        }
    }
}

fn hex(ids: &[TaskId]) -> sqlx::Result<String> {
    let hex = |id: &TaskId| id.uuid().simple().to_string();
    json(&ids.iter().map(hex).collect::<Vec<_>>())
}
