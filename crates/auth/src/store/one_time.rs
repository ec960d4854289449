use cgcg_core::{Conn, Id, Timestamp, User, on};

use crate::one_time::OneTime;

/// What is needed to check a token and to see whether it is still good.
#[derive(sqlx::FromRow)]
pub(crate) struct OneTimeInDb {
    pub(crate) purpose: String,
    pub(crate) user_id: Option<Id<User>>,
    pub(crate) salt: Vec<u8>,
    /// The e-mail address that it is about.
    pub(crate) target: Option<String>,
    pub(crate) expires_at: Timestamp,
    pub(crate) used_at: Option<Timestamp>,
}

pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<OneTime>,
    row: &OneTimeInDb,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql =
        "insert into auth_one_time (id, purpose, user_id, salt, target, created_at, expires_at)
               values ($1, $2, $3, $4, $5, $6, $7)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(&row.purpose)
            .bind(row.user_id)
            .bind(&row.salt)
            .bind(row.target.as_deref())
            .bind(now)
            .bind(row.expires_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

pub(crate) async fn find(conn: &mut Conn, id: Id<OneTime>) -> sqlx::Result<Option<OneTimeInDb>> {
    let sql = "select purpose, user_id, salt, target, expires_at, used_at from auth_one_time where id = $1";
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

/// Ends the unused tokens of an account: those for `purpose`, or all.
pub(crate) async fn end(
    conn: &mut Conn,
    user: Id<User>,
    purpose: Option<&str>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "update auth_one_time set used_at = $3
               where user_id = $1 and used_at is null and purpose = coalesce($2, purpose)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(purpose)
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}

pub(crate) async fn delete_of(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_one_time where user_id = $1";
    super::for_id(conn, sql, user.uuid()).await
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
