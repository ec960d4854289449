//! Ready tasks that nobody here knows, at the head of a queue: each claim would walk over them.

use std::time::Duration;

use cgcg_core::{Array, Conn, Engine, on};

use super::{Now, json};
use crate::micros;

/// The first ready tasks of a queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Head {
    pub(crate) tasks: i64,
    /// Those of them with other names than those given.
    pub(crate) unknown: i64,
}

/// Looks at the first `looks` ready tasks of a queue.
pub(crate) async fn head(
    conn: &mut Conn,
    queue: &str,
    names: &[String],
    looks: i64,
) -> sqlx::Result<Head> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "select count(*) as tasks,
                         count(*) filter (where name not in (select value from json_each($2))) as unknown
                       from (select name from task where queue = $1 and state = 2
                         order by priority, run_at, seq limit $3)";
            let names = json(&names)?;
            on!(conn, |c| sqlx::query_as(sql)
                .bind(queue)
                .bind(names)
                .bind(looks)
                .fetch_one(c)
                .await)
        }
        Engine::Postgres => {
            let sql = "select count(*) as tasks, count(*) filter (where name <> all ($2::text[])) as unknown
                       from (select name from task where queue = $1 and state = 2
                         order by priority, run_at, seq limit $3) h";
            on!(conn, |c| sqlx::query_as(sql)
                .bind(queue)
                .bind(Array(names.to_vec()))
                .bind(looks)
                .fetch_one(c)
                .await)
        }
    }
}

/// Puts those of the first `looks` ready tasks off for `time` whose names are not among `names`, and of which none
/// runs: others know what runs, and will take more of it. Answers how many those were. It costs them no attempt.
pub(crate) async fn park(
    conn: &mut Conn,
    now: Now,
    queue: &str,
    names: &[String],
    looks: i64,
    time: Duration,
) -> sqlx::Result<u64> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "update task set state = 1, run_at = $1 + $5
                       where seq in (
                         select seq from (
                           select seq, name from task where queue = $2 and state = 2
                           order by priority, run_at, seq limit $4)
                         where name not in (select value from json_each($3))
                           and name not in (select name from task where queue = $2 and state = 3))";
            let names = json(&names)?;
            on!(conn, |c| sqlx::query(sql)
                .bind(now)
                .bind(queue)
                .bind(names)
                .bind(looks)
                .bind(micros(time))
                .execute(c)
                .await
                .map(|done| done.rows_affected()))
        }
        Engine::Postgres => {
            let sql = "with x as materialized (
                         select id from (
                           select id, name from task where queue = $2 and state = 2
                           order by priority, run_at, seq limit $4) h
                         where name <> all ($3::text[])
                           and name <> all (array(select distinct name from task where queue = $2 and state = 3)))
                       update task t set state = 1,
                         run_at = coalesce($1::bigint, (select now from task_clock)) + $5::bigint
                       where t.id = any (array(select id from x)) and t.state + 0 = 2";
            on!(conn, |c| sqlx::query(sql)
                .bind(now)
                .bind(queue)
                .bind(Array(names.to_vec()))
                .bind(looks)
                .bind(micros(time))
                .execute(c)
                .await
                .map(|done| done.rows_affected()))
        }
    }
}
