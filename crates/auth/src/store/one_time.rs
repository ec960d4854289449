use cgcg_core::{Conn, Id, Timestamp, User, on};

use crate::one_time::OneTime;

/// What is needed to check a token and to see whether it is still good.
#[derive(sqlx::FromRow)]
pub(crate) struct OneTimeInDb {
    pub(crate) purpose: String,
    pub(crate) salt: Vec<u8>,
    pub(crate) expires_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
}

pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<OneTime>,
    purpose: &str,
    salt: &[u8],
    created_at: Timestamp,
    expires_at: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_one_time (id, purpose, salt, created_at, expires_at) values ($1, $2, $3, $4, $5)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(purpose)
            .bind(salt)
            .bind(created_at)
            .bind(expires_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

pub(crate) async fn find(conn: &mut Conn, id: Id<OneTime>) -> sqlx::Result<Option<OneTimeInDb>> {
    let sql = "select purpose, salt, expires_at, used_at from auth_one_time where id = $1";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// Of any number that try, one gets `true`.
pub(crate) async fn consume(
    conn: &mut Conn,
    id: Id<OneTime>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update auth_one_time set used_at = $2 where id = $1 and used_at is null and expires_at > $2";
    let used = on!(conn, |c| sqlx::query(sql)
        .bind(id)
        .bind(now)
        .execute(c)
        .await?
        .rows_affected());
    Ok(used == 1)
}

pub(crate) async fn delete_of(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_one_time where user_id = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(user).execute(c).await?;
    });
    Ok(())
}

/// Removes up to `limit` rows that ended before `before`.
pub(crate) async fn purge(conn: &mut Conn, before: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from auth_one_time
               where id in (select id from auth_one_time where expires_at < $1 limit $2)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(before)
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}
