use cgcg_core::{Conn, Engine, Id, Timestamp, on};
use serde_json::{Map, Value};
use sqlx::types::Json;

use crate::mail::{Letter, Outgoing};
use crate::one_time::OneTime;

/// A mail that waits.
#[derive(sqlx::FromRow)]
pub(crate) struct OutgoingInDb {
    pub(crate) id: Id<Outgoing>,
    pub(crate) template: String,
    pub(crate) address: String,
    pub(crate) one_time_id: Option<Id<OneTime>>,
    pub(crate) data: Json<Map<String, Value>>,
    /// How often it was claimed, this time too.
    pub(crate) attempts: i64,
    pub(crate) created_at: Timestamp,
}

pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<Outgoing>,
    letter: &Letter,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_outbox (id, template, address, one_time_id, data, attempts, next_try_at, created_at)
               values ($1, $2, $3, $4, $5, 0, $6, $6)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(letter.template.as_str())
            .bind(letter.to.as_str())
            .bind(letter.link)
            .bind(Json(&letter.data))
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Whether any mail is due: asked before a writer is taken.
pub(crate) async fn is_due(conn: &mut Conn, now: Timestamp) -> sqlx::Result<bool> {
    let sql = "select id from auth_outbox where next_try_at <= $1 limit 1";
    let found: Option<Id<Outgoing>> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .fetch_optional(c)
        .await?);
    Ok(found.is_some())
}

/// Takes up to `limit` mails that are due, the oldest first. Nobody else gets them before `until`.
pub(crate) async fn claim(
    conn: &mut Conn,
    now: Timestamp,
    until: Timestamp,
    limit: i64,
) -> sqlx::Result<Vec<OutgoingInDb>> {
    // SQLite has one writer, so nobody else can look at the same rows meanwhile.
    let sql = match conn.engine() {
        Engine::Sqlite => {
            "update auth_outbox set attempts = attempts + 1, next_try_at = $2
             where id in (select id from auth_outbox where next_try_at <= $1 order by next_try_at limit $3)
             returning id, template, address, one_time_id, data, attempts, created_at"
        }
        Engine::Postgres => {
            "update auth_outbox set attempts = attempts + 1, next_try_at = $2
             where id in (select id from auth_outbox where next_try_at <= $1 order by next_try_at limit $3
                          for update skip locked)
             returning id, template, address, one_time_id, data, attempts, created_at"
        }
    };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(now)
        .bind(until)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// It is dealt with. Whoever was too slow, and lost the row to another node, removes nothing.
pub(crate) async fn remove(conn: &mut Conn, id: Id<Outgoing>, attempts: i64) -> sqlx::Result<()> {
    let sql = "delete from auth_outbox where id = $1 and attempts = $2";
    on!(conn, |c| {
        sqlx::query(sql).bind(id).bind(attempts).execute(c).await?;
    });
    Ok(())
}

/// The next try comes at `at`.
pub(crate) async fn put_back(
    conn: &mut Conn,
    id: Id<Outgoing>,
    attempts: i64,
    at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "update auth_outbox set next_try_at = $3 where id = $1 and attempts = $2";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(attempts)
            .bind(at)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Removes what would go to an address that is about to lose its account.
pub(crate) async fn delete_to(conn: &mut Conn, address: &str) -> sqlx::Result<()> {
    let sql = "delete from auth_outbox where address = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(address).execute(c).await?;
    });
    Ok(())
}
