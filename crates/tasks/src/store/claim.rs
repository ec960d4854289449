mod packed;
mod ranges;

use std::time::Duration;

use cgcg_core::{Array, Conn, Engine, Timestamp, on};
use sqlx::{FromRow, Row};

use super::blob::{self, Kind};
use super::{Now, json};
use crate::{TaskId, micros};
pub(crate) use ranges::Ranges;

/// What a worker wants.
#[derive(Clone)]
pub(crate) struct Request<'a> {
    pub(crate) queue: &'a str,
    pub(crate) limit: i64,
    /// So many more, where the queue has no limits.
    pub(crate) ahead: i64,
    pub(crate) lease: Duration,
    pub(crate) worker: &'a str,
    /// Those that it has handlers for.
    pub(crate) names: &'a [String],
}

impl Request<'_> {
    /// How many a claim brings at most.
    pub(crate) fn most(&self, held: bool) -> i64 {
        match held {
            true => self.limit,
            false => self.limit.saturating_add(self.ahead),
        }
    }
}

/// A task with the right to run it once.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Claimed {
    pub(crate) seq: i64,
    pub(crate) id: TaskId,
    pub(crate) name: String,
    pub(crate) priority: i16,
    pub(crate) run_at: Timestamp,
    pub(crate) tick_at: Option<Timestamp>,
    pub(crate) attempt: i32,
    pub(crate) max_attempts: i32,
    pub(crate) lease: i64,
    pub(crate) timeout_us: i64,
    /// Always there once [`claim`] is done.
    pub(crate) payload: Option<Vec<u8>>,
    pub(crate) conc_key: Option<String>,
    pub(crate) trace: Option<String>,
}

/// What a claim brought.
pub(crate) struct Scan {
    pub(crate) tasks: Vec<Claimed>,
    /// When it looked, by the clock that its statement sees.
    pub(crate) at: i64,
}

/// Takes ready tasks, by priority, then time, then arrival. Empty where nothing is ready, or the queue has limits: then
/// only who has its gate `held` and keeps to them takes any.
pub(crate) async fn claim(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    held: bool,
    ranges: &Ranges,
) -> sqlx::Result<Scan> {
    let scan = match conn.engine() {
        Engine::Sqlite => sqlite(conn, now, wanted, held).await?,
        Engine::Postgres => postgres(conn, now, wanted, held, ranges).await?,
    };
    Ok(Scan {
        tasks: whole(conn, scan.tasks).await?,
        ..scan
    })
}

/// In their order, with their payloads: `returning` has no order, and large payloads of SQLite stand elsewhere.
pub(super) async fn whole(
    conn: &mut Conn,
    mut claimed: Vec<Claimed>,
) -> sqlx::Result<Vec<Claimed>> {
    claimed.sort_unstable_by_key(|task| (task.priority, task.run_at, task.seq));
    let large = claimed.iter().filter(|task| task.payload.is_none());
    let large: Vec<i64> = large.map(|task| task.seq).collect();
    if !large.is_empty() && conn.engine() == Engine::Sqlite {
        let mut blobs = blob::find(conn, &large, Kind::Payload).await?;
        for task in claimed.iter_mut().filter(|task| task.payload.is_none()) {
            task.payload = blobs.remove(&task.seq);
        }
    }
    Ok(claimed)
}

/// Two statements, between which the writer is held, and of the rows one text: SQLite's thread hands each row of `returning` to this one alone, and both
/// wake each other up for it.
async fn sqlite(conn: &mut Conn, now: Now, wanted: &Request<'_>, held: bool) -> sqlx::Result<Scan> {
    let sql = "select json_group_array(json_array(seq, hex(id), name, priority, run_at, tick_at, attempt + 1,
                 max_attempts, lease + 1, timeout_us, cast(payload as text), conc_key, trace))
               from (
                 select * from task where queue = $1 and state = 2 and name in (select value from json_each($2))
                 order by priority, run_at, seq
                 -- As a condition it would be asked of every row that waits.
                 limit iif($4 or not exists (select 1 from task_queue where name = $1 and gated), $3, 0))";
    let names = json(&wanted.names)?;
    let text: String = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(wanted.queue)
        .bind(names)
        .bind(wanted.most(held))
        .bind(held)
        .fetch_one(c)
        .await?);
    let claimed = packed::unpack(&text)?;
    let at = now.map_or(0, Timestamp::micros);
    if claimed.is_empty() {
        return Ok(Scan { tasks: claimed, at });
    }
    let sql = "update or fail task set state = 3, attempt = attempt + 1, lease = lease + 1, lease_until = $1 + $2,
                 deadline_at = $1 + timeout_us, worker = $3, started_at = $1
               where seq in (select value from json_each($4))";
    let seqs: Vec<i64> = claimed.iter().map(|task| task.seq).collect();
    let seqs = json(&seqs)?;
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .bind(micros(wanted.lease))
        .bind(wanted.worker)
        .bind(seqs)
        .execute(c)
        .await
        .map(drop)?);
    Ok(Scan { tasks: claimed, at })
}

/// Rows stand where they were locked, so `ctid` finds them. One that another transaction changed after this statement
/// began is left to the next claim: whoever changed it rings.
async fn postgres(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    held: bool,
    ranges: &Ranges,
) -> sqlx::Result<Scan> {
    let sql = "select coalesce($1, c.now) as at, t.* from task_clock c
               left join task_take_in($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) t on true";
    on!(conn, |c| {
        let rows = sqlx::query(sql)
            .bind(now)
            .bind(wanted.queue)
            .bind(wanted.most(held))
            .bind(micros(wanted.lease))
            .bind(wanted.worker)
            .bind(Array(wanted.names.to_vec()))
            .bind(held)
            .bind(Array(ranges.lows.clone()))
            .bind(Array(ranges.starts.clone()))
            .bind(Array(ranges.highs.clone()))
            .fetch_all(c)
            .await?;
        let mut scan = Scan {
            tasks: Vec::with_capacity(rows.len()),
            at: 0,
        };
        for row in &rows {
            scan.at = row.try_get("at")?;
            // One row without a task where there is none.
            if row.try_get::<Option<i64>, _>("seq")?.is_some() {
                scan.tasks.push(Claimed::from_row(row)?);
            }
        }
        Ok(scan)
    })
}
