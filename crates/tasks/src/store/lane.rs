//! The concurrency keys of a queue, each with the tasks that wait behind it.

use cgcg_core::{Array, Conn, Engine, on};

use super::claim::{Claimed, Request, whole};
use super::{Now, json};
use crate::micros;

#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct Lane {
    pub(crate) k: String,
    /// Its tasks that run.
    pub(crate) running: i64,
    /// When its bucket is full again.
    pub(crate) tat: i64,
}

/// The keys of ready tasks from `first` on, in their order. Each costs one step in the index, however many wait.
pub(crate) async fn list(
    conn: &mut Conn,
    queue: &str,
    first: &str,
    limit: i64,
) -> sqlx::Result<Vec<Lane>> {
    let sql = "with recursive lane (k, i) as (
                 select (select t.conc_key from task t where t.queue = $1 and t.state = 2 and t.conc_key is not null
                   and t.conc_key >= $2 order by t.conc_key limit 1), 1
                 union all
                 select (select t.conc_key from task t where t.queue = $1 and t.state = 2 and t.conc_key is not null
                   and t.conc_key > lane.k order by t.conc_key limit 1), i + 1
                 from lane where k is not null and i < $3)
               select k, (select count(*) from task r where r.queue = $1 and r.state = 3 and r.conc_key = k) as running,
                 coalesce((select tat from task_rate where queue = $1 and conc_key = k), 0) as tat
               from lane where k is not null order by k";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(queue)
        .bind(first)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Takes ready tasks of these keys, of each at most its room; by priority, then time, then arrival.
pub(crate) async fn claim(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    rooms: &[(String, i64)],
) -> sqlx::Result<Vec<Claimed>> {
    let claimed = match conn.engine() {
        Engine::Sqlite => sqlite(conn, now, wanted, rooms).await?,
        Engine::Postgres => postgres(conn, now, wanted, rooms).await?,
    };
    whole(conn, claimed).await
}

async fn sqlite(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    rooms: &[(String, i64)],
) -> sqlx::Result<Vec<Claimed>> {
    let sql = "update task set state = 3, attempt = attempt + 1, lease = lease + 1, lease_until = $1 + $4,
                 deadline_at = $1 + timeout_us, worker = $5, started_at = $1
               where seq in (
                 select seq from (
                   select t.seq, t.priority, t.run_at, l.value ->> 1 as room,
                     row_number() over (partition by t.conc_key order by t.priority, t.run_at, t.seq) as rn
                   from json_each($7) l cross join task t on t.seq in (
                     select s.seq from task s where s.queue = $2 and s.state = 2 and s.conc_key is not null
                       and s.conc_key = (l.value ->> 0) and s.name in (select value from json_each($6))
                     order by s.priority, s.run_at, s.seq limit $8))
                 where rn <= room order by priority, run_at, seq limit $3)
               returning seq, id, name, priority, run_at, tick_at, attempt, max_attempts, lease, timeout_us, payload,
                 conc_key, trace";
    let (names, lanes) = (json(&wanted.names)?, json(&rooms)?);
    let largest = rooms
        .iter()
        .map(|(_, room)| *room)
        .max()
        .unwrap_or_default();
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(wanted.queue)
        .bind(wanted.limit)
        .bind(micros(wanted.lease))
        .bind(wanted.worker)
        .bind(names)
        .bind(lanes)
        .bind(largest)
        .fetch_all(c)
        .await)
}

async fn postgres(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    rooms: &[(String, i64)],
) -> sqlx::Result<Vec<Claimed>> {
    let sql = "select * from task_take_keyed($1, $2, $3, $4, $5, $6, $7, $8)";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(wanted.queue)
        .bind(wanted.limit)
        .bind(micros(wanted.lease))
        .bind(wanted.worker)
        .bind(Array(wanted.names.to_vec()))
        .bind(
            rooms
                .iter()
                .map(|(key, _)| key.clone())
                .collect::<Array<_>>()
        )
        .bind(rooms.iter().map(|(_, room)| *room).collect::<Array<_>>())
        .fetch_all(c)
        .await)
}
