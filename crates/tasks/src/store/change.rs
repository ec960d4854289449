//! What anybody may do to one task.

use cgcg_core::{Conn, Engine, Timestamp, on};

use super::Now;
use super::blob;
use crate::TaskId;

/// Where a task went.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Changed {
    pub(crate) state: i16,
    pub(crate) queue: String,
}

/// Waiting work ends; running work is asked to. `None` where it is unknown, or has ended.
pub(crate) async fn cancel(conn: &mut Conn, now: Now, id: TaskId) -> sqlx::Result<Option<Changed>> {
    let sql = "update task set
                 state = case when state = 3 then 3 else 6 end,
                 cancel_requested = true,
                 finished_at = case when state = 3 then finished_at
                   else coalesce($1, (select now from task_clock)) end
               where id = $2 and state < 4
               returning state, queue";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// Failed and cancelled work runs again from its first attempt, with the lease number it had; scheduled work runs now.
/// Where its unique key lives again this is a unique violation.
pub(crate) async fn retry(conn: &mut Conn, now: Now, id: TaskId) -> sqlx::Result<Option<Changed>> {
    let sql = "update task set
                 state = 2, run_at = coalesce($1, (select now from task_clock)),
                 attempt = case when state = 1 then attempt else 0 end,
                 conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = task.queue and q.keyed)),
                 cancel_requested = false, finished_at = null, lease_until = null, deadline_at = null, worker = null
               where id = $2 and state in (1, 5, 6)
               returning state, queue";
    let changed: Option<Changed> = on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(id)
        .fetch_optional(c)
        .await?);
    match (changed, conn.engine()) {
        (None, Engine::Postgres) => retry_done(conn, now, id).await,
        (changed, _) => Ok(changed),
    }
}

/// Of a task that has left the hot table: a new `seq`, and again the lease number it had.
async fn retry_done(conn: &mut Conn, now: Now, id: TaskId) -> sqlx::Result<Option<Changed>> {
    let sql = "with d as (delete from task_done where id = $2 and state in (5, 6) returning *)
               insert into task (id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts,
                 timeout_us, lease, unique_key, conc_key, progress, errors, payload, trace, created_at, started_at)
               select id, owner, queue, name, 2, priority, coalesce($1::bigint, (select now from task_clock)), tick_at,
                 0, max_attempts, timeout_us, lease, unique_key,
                 coalesce(conc_key, (select '' from task_queue q where q.name = d.queue and q.keyed)), progress, errors,
                 payload, trace, created_at, started_at
               from d
               returning state, queue";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// Only work that waits.
pub(crate) async fn reschedule(
    conn: &mut Conn,
    now: Now,
    id: TaskId,
    run_at: Option<Timestamp>,
    priority: Option<i16>,
) -> sqlx::Result<Option<Changed>> {
    let sql = "update task set
                 run_at = coalesce($3, run_at),
                 priority = coalesce($4, priority),
                 state = case when coalesce($3, run_at) > coalesce($1, (select now from task_clock)) then 1 else 2 end,
                 conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = task.queue and q.keyed))
               where id = $2 and state in (1, 2)
               returning state, queue";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(id)
        .bind(run_at)
        .bind(priority)
        .fetch_optional(c)
        .await)
}

/// Only work that has ended; `false` where there is none.
pub(crate) async fn delete(conn: &mut Conn, id: TaskId) -> sqlx::Result<bool> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "delete from task where id = $1 and state >= 4 returning seq";
            let seqs: Vec<i64> = on!(conn, |c| sqlx::query_scalar(sql)
                .bind(id)
                .fetch_all(c)
                .await?);
            blob::purge(conn, &seqs).await?;
            Ok(!seqs.is_empty())
        }
        Engine::Postgres => {
            let sql = "with a as (delete from task where id = $1 and state + 0 >= 4 returning id),
                       b as (delete from task_done where id = $1 returning id)
                       select id from a union all select id from b";
            let gone: Vec<TaskId> = on!(conn, |c| sqlx::query_scalar(sql)
                .bind(id)
                .fetch_all(c)
                .await?);
            Ok(!gone.is_empty())
        }
    }
}
