//! One statement that tells all who wait whether something is there for them.

use cgcg_core::{Array, Conn, Engine, Timestamp, on};

use super::{Now, json};

/// What is there.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) now: Timestamp,
    /// Queues with ready tasks.
    pub(crate) ready: Vec<String>,
    /// When the next scheduled task is due.
    pub(crate) due: Option<Timestamp>,
    /// When the next schedule is.
    pub(crate) tick: Option<Timestamp>,
    /// PostgreSQL: whether ended tasks stand in the hot table.
    pub(crate) ended: bool,
}

#[derive(sqlx::FromRow)]
struct Row {
    what: String,
    queue: Option<String>,
    at: Option<Timestamp>,
}

/// Looks at these queues, and at what waits for its time. Each part costs one step in an index: on PostgreSQL the
/// orders see to it, where the planner would turn `exists` into a join with all that is ready.
pub(crate) async fn look(conn: &mut Conn, now: Now, queues: Vec<String>) -> sqlx::Result<Look> {
    let rows = match conn.engine() {
        Engine::Sqlite => sqlite(conn, now, queues).await?,
        Engine::Postgres => postgres(conn, now, queues).await?,
    };
    let mut look = Look::default();
    for row in rows {
        match row.what.as_str() {
            "now" => look.now = row.at.unwrap_or_default(),
            "due" => look.due = row.at,
            "tick" => look.tick = row.at,
            "ended" => look.ended = row.at.is_some(),
            _ => look.ready.extend(row.queue),
        }
    }
    Ok(look)
}

async fn sqlite(conn: &mut Conn, now: Now, queues: Vec<String>) -> sqlx::Result<Vec<Row>> {
    let sql = "select 'now' as what, null as queue, $1 as at
               union all select 'due', null, (select min(run_at) from task where state = 1)
               union all select 'tick', null, (select min(next_at) from task_schedule where not paused)
               union all select 'ready', q.value, null from json_each($2) q
                 where exists (select 1 from task where queue = q.value and state = 2)";
    let queues = json(&queues)?;
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(queues)
        .fetch_all(c)
        .await)
}

async fn postgres(conn: &mut Conn, now: Now, queues: Vec<String>) -> sqlx::Result<Vec<Row>> {
    let sql = "select 'now' as what, null::text as queue, coalesce($1::bigint, now) as at from task_clock
               union all select 'due', null, (select min(run_at) from task where state = 1)
               union all select 'tick', null, (select min(next_at) from task_schedule where not paused)
               union all select 'ended', null, (select seq from task where state >= 4 order by seq limit 1)
               union all select 'ready', q, null from unnest($2::text[]) as q
                 where (select seq from task where queue = q and state = 2
                   order by priority, run_at, seq limit 1) is not null";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(Array(queues))
        .fetch_all(c)
        .await)
}

/// How much is ready in one queue, and how long ago the first of it was due.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Depth {
    pub(crate) queue: String,
    pub(crate) ready: i64,
    pub(crate) age_us: i64,
}

/// All queues with something ready. It reads every ready entry of the index.
pub(crate) async fn depths(conn: &mut Conn, now: Now) -> sqlx::Result<Vec<Depth>> {
    let sql = "select queue, count(*) as ready, coalesce($1, (select now from task_clock)) - min(run_at) as age_us
               from task where state = 2 group by queue";
    on!(conn, |c| sqlx::query_as(sql).bind(now).fetch_all(c).await)
}
