//! Payloads and results over 1 KiB, on SQLite: a heartbeat rewrites its whole row, so the row must stay small.
//! PostgreSQL does that by itself.

use std::collections::HashMap;

use cgcg_core::{Conn, on};

use super::json;

/// The largest that stands in the row itself, in bytes.
pub(super) const INLINE: usize = 1_024;

/// What a blob belongs to.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Payload,
    Result,
}

impl Kind {
    const fn number(self) -> i64 {
        match self {
            Self::Payload => 1,
            Self::Result => 2,
        }
    }
}

pub(super) async fn put(conn: &mut Conn, seq: i64, kind: Kind, data: &str) -> sqlx::Result<()> {
    let sql = "insert into task_blob (seq, kind, data) values ($1, $2, $3)
               on conflict (seq, kind) do update set data = excluded.data";
    on!(conn, |c| sqlx::query(sql)
        .bind(seq)
        .bind(kind.number())
        .bind(data.as_bytes())
        .execute(c)
        .await
        .map(drop))
}

pub(super) async fn find(
    conn: &mut Conn,
    seqs: &[i64],
    kind: Kind,
) -> sqlx::Result<HashMap<i64, Vec<u8>>> {
    let sql = "select seq, data from task_blob where seq in (select value from json_each($1)) and kind = $2";
    let seqs = json(&seqs)?;
    let rows: Vec<(i64, Vec<u8>)> = on!(conn, |c| sqlx::query_as(sql)
        .bind(seqs)
        .bind(kind.number())
        .fetch_all(c)
        .await?);
    Ok(rows.into_iter().collect())
}

pub(super) async fn drop_payloads(conn: &mut Conn, seqs: &[i64]) -> sqlx::Result<()> {
    let sql = "delete from task_blob where seq in (select value from json_each($1)) and kind = 1";
    let seqs = json(&seqs)?;
    on!(conn, |c| sqlx::query(sql)
        .bind(seqs)
        .execute(c)
        .await
        .map(drop))
}

/// Those of tasks that are gone.
pub(super) async fn purge(conn: &mut Conn, seqs: &[i64]) -> sqlx::Result<()> {
    let sql = "delete from task_blob where seq in (select value from json_each($1))";
    let seqs = json(&seqs)?;
    on!(conn, |c| sqlx::query(sql)
        .bind(seqs)
        .execute(c)
        .await
        .map(drop))
}
