//! What keeps the tables in order. Any process may run it: each statement is bounded and skips what others hold.

use std::time::Duration;

use cgcg_core::{Conn, Engine, Timestamp, on};
use uuid::Uuid;

use super::{Now, blob};
use crate::{TaskId, micros};

/// A task whose worker gave no sign of life.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Rescued {
    pub(crate) id: TaskId,
    pub(crate) queue: String,
    pub(crate) name: String,
    pub(crate) state: i16,
    pub(crate) attempt: i32,
    pub(crate) lease: i64,
    /// `lease_expired` or `timeout`.
    pub(crate) why: String,
}

/// What is looked at again and again.
#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(crate) struct Pulse {
    /// The time that statements see.
    pub(crate) now: Timestamp,
    /// Whether anything runs.
    pub(crate) running: bool,
    /// PostgreSQL: whether the table of tasks has become much larger since it was counted, and may be counted.
    pub(crate) grown: bool,
}

pub(crate) async fn pulse(conn: &mut Conn, now: Now) -> sqlx::Result<Pulse> {
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "select coalesce($1, now) as now, exists (select 1 from task where state = 3) as running, false as grown
             from task_clock"
        }
        Engine::Postgres => {
            "select coalesce($1, now) as now,
               (select seq from task where state = 3 order by queue, conc_key limit 1) is not null as running,
               (select pg_relation_size(oid) > 8192 * (4 * greatest(relpages, 0)::bigint + 16) and pg_has_role(relowner, 'usage')
                from pg_class where oid = 'task'::regclass) as grown
             from task_clock"
        }
    };
    on!(conn, |c| sqlx::query_as(sql).bind(now).fetch_one(c).await)
}

/// PostgreSQL: counts the table of tasks. What was planned while it was small read all of it, and is planned anew then.
/// An error where somebody else counts.
pub(crate) async fn count_anew(conn: &mut Conn) -> sqlx::Result<()> {
    let wait = "set local lock_timeout = '100ms'";
    on!(conn, |c| sqlx::query(wait).execute(&mut *c).await.map(drop))?;
    on!(conn, |c| sqlx::query("analyze task")
        .execute(c)
        .await
        .map(drop))
}

/// Takes leases away that are over, or whose hard deadline is, or that end later than `longest` from now: those were
/// given before the clock went back.
pub(crate) async fn rescue(
    conn: &mut Conn,
    now: Now,
    limit: i64,
    longest: Duration,
) -> sqlx::Result<Vec<Rescued>> {
    // The order keeps PostgreSQL at the index of what runs: a plan made while much runs would read the whole table.
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "update task set
               state = case when cancel_requested then 6 when attempt >= max_attempts then 5 else 1 end,
               run_at = $1 + min(3600000000, 1000000 * (1 << min(attempt, 12))),
               errors = json_insert(
                 case when json_array_length(errors) >= 10 then json_remove(errors, '$[0]') else errors end, '$[#]',
                 json_object('at', $1, 'attempt', attempt, 'worker', worker, 'code',
                   case when deadline_at < $1 then 'timeout' else 'lease_expired' end)),
               finished_at = case when cancel_requested or attempt >= max_attempts then $1 end,
               conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = task.queue and q.keyed)),
               lease_until = null, deadline_at = null, worker = null
             where seq in (
               select seq from task
               where state = 3 and (lease_until < $1 or lease_until > $1 + $3 or deadline_at < $1) limit $2)
             returning id, queue, name, state, attempt, lease, errors ->> '$[#-1].code' as why"
        }
        Engine::Postgres => {
            "with n as materialized (select coalesce($1::bigint, (select now from task_clock)) as now),
             x as materialized (
               select id from task, n
               where state = 3 and (lease_until < n.now or lease_until > n.now + $3::bigint or deadline_at < n.now)
               order by queue, conc_key limit $2 for update of task skip locked)
             update task t set
               state = case when cancel_requested then 6 when attempt >= max_attempts then 5 else 1 end,
               run_at = n.now + least(3600000000, 1000000 * (1::bigint << least(attempt, 12))),
               errors = (case when jsonb_array_length(errors) >= 10 then errors - 0 else errors end)
                 || jsonb_build_object('at', n.now, 'attempt', attempt, 'worker', worker, 'code',
                      case when deadline_at < n.now then 'timeout' else 'lease_expired' end),
               finished_at = case when cancel_requested or attempt >= max_attempts then n.now end,
               conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = t.queue and q.keyed)),
               lease_until = null, deadline_at = null, worker = null
             from n where t.id = any (array(select id from x))
             returning t.id, t.queue, t.name, t.state, t.attempt, t.lease, t.errors -> -1 ->> 'code' as why"
        }
    };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(limit)
        .bind(micros(longest))
        .fetch_all(c)
        .await)
}

/// After a clock that stepped ahead: what ran before has as much time left as it had. Each process that saw the step
/// does it, so it may be more; the worker itself ends its work in time.
pub(crate) async fn put_off_deadlines(
    conn: &mut Conn,
    started_before: Timestamp,
    ahead: Duration,
) -> sqlx::Result<()> {
    let sql = "update task set deadline_at = deadline_at + $2 where state = 3 and started_at <= $1";
    on!(conn, |c| sqlx::query(sql)
        .bind(started_before)
        .bind(micros(ahead))
        .execute(c)
        .await
        .map(drop))
}

/// Makes scheduled work ready whose time has come; answers the queue of each.
pub(crate) async fn promote(conn: &mut Conn, now: Now, limit: i64) -> sqlx::Result<Vec<String>> {
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "update task set state = 2,
               conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = task.queue and q.keyed))
             where seq in (select seq from task where state = 1 and run_at <= $1 order by run_at limit $2)
             returning queue"
        }
        Engine::Postgres => {
            "with x as materialized (
               select id from task where state = 1 and run_at <= coalesce($1::bigint, (select now from task_clock))
               order by run_at limit $2 for update skip locked)
             update task t set state = 2,
               conc_key = coalesce(conc_key, (select '' from task_queue q where q.name = t.queue and q.keyed))
             where t.id = any (array(select id from x))
             returning t.queue"
        }
    };
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// PostgreSQL: takes failed and cancelled rows out of the hot table; answers how many. SQLite has one table.
pub(crate) async fn sweep(conn: &mut Conn, limit: i64) -> sqlx::Result<u64> {
    if conn.engine() == Engine::Sqlite {
        return Ok(0);
    }
    let sql = "with x as materialized (
                 select id from task where state >= 4 order by seq limit $1 for update skip locked),
               d as (delete from task t where t.id = any (array(select id from x)) returning t.*)
               insert into task_done (id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts,
                 timeout_us, lease, cancel_requested, unique_key, conc_key, progress, errors, payload, trace, worker,
                 created_at, started_at, finished_at)
               select id, owner, queue, name, state, priority, run_at, tick_at, attempt, max_attempts, timeout_us, lease,
                 cancel_requested, unique_key, conc_key, progress, errors, payload, trace, worker, created_at,
                 started_at, finished_at
               from d";
    on!(conn, |c| sqlx::query(sql)
        .bind(limit)
        .execute(c)
        .await
        .map(|done| done.rows_affected()))
}

/// Deletes tasks of an end state (4 to 6) that ended before `before`; answers how many.
pub(crate) async fn purge(
    conn: &mut Conn,
    state: i16,
    before: Timestamp,
    limit: i64,
) -> sqlx::Result<u64> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "delete from task where seq in (
                         select seq from task where state >= 4 and state = $1 and finished_at < $2
                         order by finished_at limit $3)
                       returning seq";
            let seqs: Vec<i64> = on!(conn, |c| sqlx::query_scalar(sql)
                .bind(state)
                .bind(before)
                .bind(limit)
                .fetch_all(c)
                .await?);
            blob::purge(conn, &seqs).await?;
            Ok(seqs.len() as u64)
        }
        Engine::Postgres => {
            // What ended before was made before: the id keeps younger partitions out of it.
            let sql = "delete from task_done where id in (
                         select id from task_done where id < $4 and state = $1 and finished_at < $2 limit $3)";
            on!(conn, |c| sqlx::query(sql)
                .bind(state)
                .bind(before)
                .bind(limit)
                .bind(first_id(before))
                .execute(c)
                .await
                .map(|done| done.rows_affected()))
        }
    }
}

/// The smallest UUIDv7 of a moment's millisecond.
fn first_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.micros() / 1_000).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}

/// PostgreSQL: makes the partitions of days from `first` on, in days since the epoch; answers how many were missing.
pub(crate) async fn add_partitions(conn: &mut Conn, first: i64, days: i32) -> sqlx::Result<i32> {
    let wait = "set local lock_timeout = '100ms'";
    let sql = "select task_add_partitions($1, $2)";
    on!(conn, |c| sqlx::query(wait).execute(&mut *c).await.map(drop))?;
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(first)
        .bind(days)
        .fetch_one(c)
        .await)
}

/// PostgreSQL: drops a day where nothing in it is still to be kept.
pub(crate) async fn drop_partition(
    conn: &mut Conn,
    day: i64,
    failed_before: Timestamp,
    others_before: Timestamp,
) -> sqlx::Result<bool> {
    let wait = "set local lock_timeout = '100ms'";
    let sql = "select task_drop_partition($1, $2, $3)";
    on!(conn, |c| sqlx::query(wait).execute(&mut *c).await.map(drop))?;
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(day)
        .bind(failed_before)
        .bind(others_before)
        .fetch_one(c)
        .await)
}

/// PostgreSQL: the days that have a partition, oldest first.
pub(crate) async fn days(conn: &mut Conn) -> sqlx::Result<Vec<i64>> {
    let sql = "select substr(c.relname, 12)::bigint as day from pg_inherits i join pg_class c on c.oid = i.inhrelid
               where i.inhparent = 'task_done'::regclass and c.relname ~ '^task_done_d[0-9]+$' order by day";
    on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await)
}
