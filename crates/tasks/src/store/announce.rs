//! What others are told of tasks that ended.

use cgcg_core::{Conn, Engine, on};

use super::{column, json};
use crate::TaskId;

#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Ended {
    pub(crate) id: TaskId,
    pub(crate) owner: String,
    pub(crate) queue: String,
    pub(crate) name: String,
    pub(crate) state: i16,
    pub(crate) attempt: i32,
    /// Of its last error.
    pub(crate) code: Option<String>,
}

/// Of these tasks, in the order of their ids.
pub(crate) async fn ended(conn: &mut Conn, ids: &[TaskId]) -> sqlx::Result<Vec<Ended>> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "select id, owner, queue, name, state, attempt, errors ->> '$[#-1].code' as code from task
                       where id in (select unhex(value) from json_each($1)) order by id";
            let hex = |id: &TaskId| id.uuid().simple().to_string();
            let ids = json(&ids.iter().map(hex).collect::<Vec<_>>())?;
            on!(conn, |c| sqlx::query_as(sql).bind(ids).fetch_all(c).await)
        }
        Engine::Postgres => {
            let sql = "select id, owner, queue, name, state, attempt, errors -> -1 ->> 'code' as code from task_all
                       where id = any ($1) order by id";
            on!(conn, |c| sqlx::query_as(sql)
                .bind(column(ids, |id| id.uuid()))
                .fetch_all(c)
                .await)
        }
    }
}
