use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};

use cgcg_core::{Conn, Engine, on};

use super::super::blob::{self, INLINE, Kind};
use super::super::{Now, column, json};
use super::{Fence, firsts};

/// A success.
#[derive(Debug, Clone)]
pub(crate) struct Done {
    pub(crate) fence: Fence,
    pub(crate) worker: String,
    /// JSON text.
    pub(crate) result: Option<String>,
}

/// Ends tasks; answers the fence of each whose lease held. The row alone would not tell: a stale completion may come in
/// the same batch as the right one.
pub(crate) async fn complete(
    conn: &mut Conn,
    now: Now,
    keep_payload: bool,
    done: &[Done],
) -> sqlx::Result<Vec<Fence>> {
    let done = &firsts(done, |done| (done.fence, &done.worker))[..];
    match conn.engine() {
        Engine::Sqlite => sqlite(conn, now, keep_payload, done).await,
        Engine::Postgres => {
            let sql = "select * from task_complete($1, $2, $3, $4, $5, $6)";
            on!(conn, |c| sqlx::query_as(sql)
                .bind(now)
                .bind(keep_payload)
                .bind(column(done, |done| done.fence.id.uuid()))
                .bind(column(done, |done| done.fence.lease))
                .bind(column(done, |done| done.worker.clone()))
                .bind(column(done, |done| done
                    .result
                    .clone()
                    .map(String::into_bytes)))
                .fetch_all(c)
                .await)
        }
    }
}

/// By number alone, once it is known whose lease holds: taking apart a JSON list for each row would take as long as the
/// rest. The transaction holds the
/// writer, so it goes on holding. None of it by `returning`: see `store::claim`.
async fn sqlite(
    conn: &mut Conn,
    now: Now,
    keep_payload: bool,
    done: &[&Done],
) -> sqlx::Result<Vec<Fence>> {
    let done = held(conn, done).await?;
    let (mut plain, mut told, mut large) = (Vec::new(), BTreeMap::new(), Vec::new());
    for done in &done {
        match &done.result {
            Some(result) if result.len() <= INLINE => {
                told.insert(done.fence.seq, result.as_str());
            }
            Some(result) => large.push((done.fence.seq, result)),
            None => plain.push(done.fence.seq),
        }
    }
    plain.extend(large.iter().map(|(seq, _)| *seq));
    if !plain.is_empty() {
        let sql = "update or fail task set state = 4, finished_at = $1, lease_until = null, deadline_at = null,
                     result = null, payload = case when $2 then payload end
                   where seq in (select value from json_each($3))";
        end(conn, sql, now, keep_payload, json(&plain)?).await?;
    }
    if !told.is_empty() {
        let sql =
            "update or fail task set state = 4, finished_at = $1, lease_until = null, deadline_at = null,
                     result = cast(b.value as blob), payload = case when $2 then payload end
                   from json_each($3) b where task.seq = cast(b.key as integer)";
        end(conn, sql, now, keep_payload, json(&told)?).await?;
    }
    for (seq, result) in large {
        blob::put(conn, seq, Kind::Result, result).await?;
    }
    if !keep_payload {
        let seqs: Vec<i64> = done.iter().map(|done| done.fence.seq).collect();
        blob::drop_payloads(conn, &seqs).await?;
    }
    Ok(done.iter().map(|done| done.fence).collect())
}

/// Those whose lease holds.
async fn held<'a>(conn: &mut Conn, done: &[&'a Done]) -> sqlx::Result<Vec<&'a Done>> {
    let sql = "select json_group_array(json_array(seq, lease, worker)) from task
               where seq in (select value from json_each($1)) and state + 0 = 3";
    let seqs: Vec<i64> = done.iter().map(|done| done.fence.seq).collect();
    let seqs = json(&seqs)?;
    let text: String = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(seqs)
        .fetch_one(c)
        .await?);
    let held: HashSet<(i64, i64, Option<Cow<'_, str>>)> =
        serde_json::from_str(&text).map_err(|wrong| sqlx::Error::Decode(wrong.into()))?;
    let holds = |done: &&Done| {
        let worker = Some(Cow::Borrowed(done.worker.as_str()));
        held.contains(&(done.fence.seq, done.fence.lease, worker))
    };
    Ok(done.iter().copied().filter(holds).collect())
}

async fn end(
    conn: &mut Conn,
    sql: &'static str,
    now: Now,
    keep_payload: bool,
    ended: String,
) -> sqlx::Result<()> {
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .bind(keep_payload)
        .bind(ended)
        .execute(c)
        .await
        .map(drop))
}
