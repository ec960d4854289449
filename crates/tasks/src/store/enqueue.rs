mod text;

use std::collections::HashMap;

use cgcg_core::{Conn, Engine, Timestamp, on};

use super::blob::{self, INLINE, Kind};
use super::{Now, column};
use crate::TaskId;
use text::{ALL, COLUMNS, SIZES, TOLD};

/// A task that is not yet stored.
pub(crate) struct NewRow {
    pub(crate) id: TaskId,
    pub(crate) owner: String,
    pub(crate) queue: String,
    pub(crate) name: String,
    pub(crate) priority: i16,
    /// At once where absent.
    pub(crate) run_at: Option<Timestamp>,
    /// The time for which a schedule made it.
    pub(crate) tick_at: Option<Timestamp>,
    pub(crate) max_attempts: i32,
    pub(crate) timeout_us: i64,
    /// 16 bytes; one task with it may live.
    pub(crate) unique_key: Option<Vec<u8>>,
    /// What limits for each key count by.
    pub(crate) conc_key: Option<String>,
    /// A W3C `traceparent`.
    pub(crate) trace: Option<String>,
    pub(crate) payload: String,
}

#[derive(sqlx::FromRow)]
struct Stored {
    seq: i64,
    id: TaskId,
}

/// Stores what no live task with the same unique key keeps out, in one statement per chunk; answers the ids of those
/// that were stored.
///
/// On PostgreSQL the rows come sorted by unique key: two batches in opposite order would wait for each other.
pub(crate) async fn enqueue(
    conn: &mut Conn,
    now: Now,
    rows: &[&NewRow],
) -> sqlx::Result<Vec<TaskId>> {
    match conn.engine() {
        Engine::Sqlite => {
            let mut stored = Vec::with_capacity(rows.len());
            let mut rest = rows;
            while !rest.is_empty() {
                let size = text::size_for(rest.len());
                let (chunk, others) = rest.split_at(rest.len().min(SIZES[size]));
                sqlite(conn, now, size, chunk, &mut stored).await?;
                rest = others;
            }
            Ok(stored)
        }
        Engine::Postgres => postgres(conn, now, rows).await,
    }
}

/// Binds `rows`, and nothing for as many as the text has more.
macro_rules! bind {
    ($query:expr, $now:expr, $rows:expr, $size:expr) => {{
        let mut query = $query.bind($now);
        for row in $rows {
            query = query
                .bind(row.id)
                .bind(&row.owner)
                .bind(&row.queue)
                .bind(&row.name)
                .bind(row.priority)
                .bind(row.run_at)
                .bind(row.tick_at)
                .bind(row.max_attempts)
                .bind(row.timeout_us)
                .bind(row.unique_key.as_deref())
                .bind(row.conc_key.as_deref())
                .bind(row.trace.as_deref())
                .bind(small(&row.payload));
        }
        for _ in $rows.len() * COLUMNS..$size * COLUMNS {
            query = query.bind(None::<i64>);
        }
        query
    }};
}

/// Stores rows that fit into the text of this size.
async fn sqlite(
    conn: &mut Conn,
    now: Now,
    size: usize,
    rows: &[&NewRow],
    stored: &mut Vec<TaskId>,
) -> sqlx::Result<()> {
    // What nothing keeps out need not be told of.
    let plain = |row: &&NewRow| row.unique_key.is_none() && small(&row.payload).is_some();
    if rows.iter().all(plain) {
        on!(conn, |c| bind!(
            sqlx::query(ALL[size].as_str()),
            now,
            rows,
            SIZES[size]
        )
        .execute(c)
        .await
        .map(drop)?);
        stored.extend(rows.iter().map(|row| row.id));
        return Ok(());
    }
    let told: Vec<Stored> = on!(conn, |c| bind!(
        sqlx::query_as(TOLD[size].as_str()),
        now,
        rows,
        SIZES[size]
    )
    .fetch_all(c)
    .await?);
    stored.extend(told.iter().map(|row| row.id));
    let seqs: HashMap<_, _> = told.iter().map(|row| (row.id, row.seq)).collect();
    for row in rows.iter().filter(|row| small(&row.payload).is_none()) {
        if let Some(seq) = seqs.get(&row.id) {
            blob::put(conn, *seq, Kind::Payload, &row.payload).await?;
        }
    }
    Ok(())
}

/// `None` for what goes into a blob.
fn small(payload: &str) -> Option<&[u8]> {
    (payload.len() <= INLINE).then_some(payload.as_bytes())
}

async fn postgres(conn: &mut Conn, now: Now, rows: &[&NewRow]) -> sqlx::Result<Vec<TaskId>> {
    let sql = "insert into task (id, owner, queue, name, state, priority, run_at, tick_at, max_attempts, timeout_us,
                 unique_key, conc_key, trace, payload, created_at)
               select x.id, x.owner, x.queue, x.name, case when x.run_at > c.now then 1 else 2 end, x.priority,
                 coalesce(x.run_at, c.now), x.tick_at, x.max_attempts, x.timeout_us, x.unique_key,
                 coalesce(x.conc_key, (select '' from task_queue q where q.name = x.queue and q.keyed)), x.trace, x.payload,
                 c.now
               from (select coalesce($1::bigint, (select now from task_clock)) as now) c,
                 unnest($2::uuid[], $3::text[], $4::text[], $5::text[], $6::smallint[], $7::bigint[], $8::bigint[],
                   $9::int[], $10::bigint[], $11::bytea[], $12::text[], $13::text[], $14::bytea[])
                 as x (id, owner, queue, name, priority, run_at, tick_at, max_attempts, timeout_us, unique_key, conc_key,
                   trace, payload)
               on conflict (unique_key) where unique_key is not null and state < 4 do nothing
               returning seq, id";
    let stored: Vec<Stored> = on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(column(rows, |row| row.id.uuid()))
        .bind(column(rows, |row| row.owner.clone()))
        .bind(column(rows, |row| row.queue.clone()))
        .bind(column(rows, |row| row.name.clone()))
        .bind(column(rows, |row| row.priority))
        .bind(column(rows, |row| row.run_at.map(Timestamp::micros)))
        .bind(column(rows, |row| row.tick_at.map(Timestamp::micros)))
        .bind(column(rows, |row| row.max_attempts))
        .bind(column(rows, |row| row.timeout_us))
        .bind(column(rows, |row| row.unique_key.clone()))
        .bind(column(rows, |row| row.conc_key.clone()))
        .bind(column(rows, |row| row.trace.clone()))
        .bind(column(rows, |row| row.payload.clone().into_bytes()))
        .fetch_all(c)
        .await?);
    Ok(stored.into_iter().map(|row| row.id).collect())
}

/// Who holds a unique key.
#[derive(sqlx::FromRow)]
pub(crate) struct Holder {
    pub(crate) id: TaskId,
    pub(crate) state: i16,
}

/// The live task with this unique key.
pub(crate) async fn existing(conn: &mut Conn, unique_key: &[u8]) -> sqlx::Result<Option<Holder>> {
    let sql =
        "select id, state from task where unique_key = $1 and unique_key is not null and state < 4";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(unique_key)
        .fetch_optional(c)
        .await)
}
