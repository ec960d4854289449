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
                       where id in (select unhex(value) from json_each($1)) and state = 3";
            let hex = |id: &TaskId| id.uuid().simple().to_string();
            let ids = json(&ids.iter().map(hex).collect::<Vec<_>>())?;
            on!(conn, |c| sqlx::query_as(sql).bind(ids).fetch_all(c).await)
        }
        Engine::Postgres => {
            let sql = "select id, seq, lease, worker, attempt, max_attempts from task where id = any ($1::uuid[]) and state = 3";
            let ids: Array<_> = ids.iter().map(|id| id.uuid()).collect();
            on!(conn, |c| sqlx::query_as(sql)
                .bind(ids.clone())
                .fetch_all(c)
                .await)
        }
    }
}
