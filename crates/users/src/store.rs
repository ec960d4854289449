//! Every SQL statement of this feature. A service opens and commits; nothing here does.
//!
//! All texts are constant, and chosen by what is asked: `$1 is null or …` would keep the databases from their indexes.

mod list;
mod packed;

use std::collections::HashMap;

use cgcg_core::{Conn, Engine, Timestamp, on};
use sqlx::types::Json;

use crate::UserId;
use crate::schemas::UserInDb;

pub(crate) use list::list;
use packed::{packed, unpack};

/// `select` of the columns of [`UserInDb`].
macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "select id, email, email_verified_at, username, display_name, locale, status, profile, app_data, version, \
             created_at, updated_at from users ",
            $($rest),+
        )
    };
}
pub(crate) use select;

/// What is stored of a new account.
pub(crate) struct NewRow<'a> {
    pub(crate) id: UserId,
    pub(crate) email: &'a str,
    pub(crate) canonical: &'a str,
    pub(crate) email_verified_at: Option<Timestamp>,
    pub(crate) username: Option<&'a str>,
    pub(crate) display_name: Option<&'a str>,
    pub(crate) locale: Option<&'a str>,
    pub(crate) created_at: Timestamp,
}

/// `false` where a name is taken; PostgreSQL's transaction survives that.
pub(crate) async fn insert(conn: &mut Conn, row: &NewRow<'_>) -> sqlx::Result<bool> {
    let sql = "insert into users (id, email, email_canonical, email_verified_at, username, display_name, locale,
                 status, profile, app_data, version, created_at, updated_at)
               values ($1, $2, $3, $4, $5, $6, $7, 'active', '{}', '{}', 1, $8, $8)
               on conflict do nothing returning version";
    let stored: Option<i64> = on!(conn, |c| {
        sqlx::query_scalar(sql)
            .bind(row.id)
            .bind(row.email)
            .bind(row.canonical)
            .bind(row.email_verified_at)
            .bind(row.username)
            .bind(row.display_name)
            .bind(row.locale)
            .bind(row.created_at)
            .fetch_optional(c)
            .await?
    });
    Ok(stored.is_some())
}

/// Whether another account than `id` has this address.
pub(crate) async fn email_taken(
    conn: &mut Conn,
    canonical: &str,
    id: UserId,
) -> sqlx::Result<bool> {
    let sql = "select 1 from users where email_canonical = $1 and id <> $2";
    let other: Option<i32> = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(canonical)
        .bind(id)
        .fetch_optional(c)
        .await?);
    Ok(other.is_some())
}

pub(crate) async fn find(conn: &mut Conn, id: UserId) -> sqlx::Result<Option<UserInDb>> {
    let sql = select!("where id = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

macro_rules! among_32 {
    ($select:ident) => {
        $select!(
            "where id in ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, \
             $20, $21, $22, $23, $24, $25, $26, $27, $28, $29, $30, $31, $32)"
        )
    };
}

/// Up to 32 accounts. The list of a statement has one length, so that it is prepared once: the last id fills it up.
pub(crate) async fn find_each(
    conn: &mut Conn,
    ids: &[UserId],
) -> sqlx::Result<HashMap<UserId, UserInDb>> {
    let rows: Vec<UserInDb> = match ids {
        [] => Vec::new(),
        [id] => find(conn, *id).await?.into_iter().collect(),
        [.., last] => {
            let ids = ids.iter().chain(std::iter::repeat(last)).take(32);
            match conn.engine() {
                Engine::Sqlite => {
                    let sql = among_32!(packed);
                    let text: String = on!(conn, |c| ids
                        .fold(sqlx::query_scalar(sql), |query, id| query.bind(*id))
                        .fetch_one(c)
                        .await?);
                    unpack(&text)?
                }
                Engine::Postgres => {
                    let sql = among_32!(select);
                    on!(conn, |c| ids
                        .fold(sqlx::query_as(sql), |query, id| query.bind(*id))
                        .fetch_all(c)
                        .await?)
                }
            }
        }
    };
    Ok(rows.into_iter().map(|row| (row.id, row)).collect())
}

pub(crate) async fn find_by_email(
    conn: &mut Conn,
    canonical: &str,
) -> sqlx::Result<Option<UserInDb>> {
    let sql = select!("where email_canonical = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(canonical)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn find_by_username(
    conn: &mut Conn,
    username: &str,
) -> sqlx::Result<Option<UserInDb>> {
    let sql = select!("where username = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(username)
        .fetch_optional(c)
        .await)
}

/// The row, which nobody else changes until the transaction ends.
pub(crate) async fn lock(conn: &mut Conn, id: UserId) -> sqlx::Result<Option<UserInDb>> {
    // On SQLite the transaction is the only writer already.
    let sql = match conn.engine() {
        Engine::Sqlite => select!("where id = $1"),
        Engine::Postgres => select!("where id = $1 for update"),
    };
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// Stores a changed row. `canonical` comes with another e-mail only.
///
/// Where a name is taken this is a unique violation, which ends PostgreSQL's transaction.
pub(crate) async fn save(
    conn: &mut Conn,
    row: &UserInDb,
    canonical: Option<&str>,
) -> sqlx::Result<()> {
    let sql = "update users set email = $2, email_canonical = coalesce($3, email_canonical), email_verified_at = $4,
                 username = $5, display_name = $6, locale = $7, status = $8, profile = $9, app_data = $10,
                 version = $11, updated_at = $12
               where id = $1";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(row.id)
            .bind(&row.base.email)
            .bind(canonical)
            .bind(row.email_verified_at)
            .bind(&row.base.username)
            .bind(&row.base.display_name)
            .bind(&row.base.locale)
            .bind(row.status.as_str())
            .bind(Json(row.profile.raw()))
            .bind(Json(row.app_data.raw()))
            .bind(row.version)
            .bind(row.updated_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// `false` where there is no such account.
pub(crate) async fn set_email(
    conn: &mut Conn,
    id: UserId,
    email: &str,
    canonical: &str,
    verified_at: Option<Timestamp>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update users set email = $2, email_canonical = $3, email_verified_at = $4, version = version + 1,
                 updated_at = $5
               where id = $1";
    on!(conn, |c| {
        let done = sqlx::query(sql)
            .bind(id)
            .bind(email)
            .bind(canonical)
            .bind(verified_at)
            .bind(now)
            .execute(c)
            .await?;
        Ok(done.rows_affected() == 1)
    })
}

pub(crate) async fn delete(conn: &mut Conn, id: UserId) -> sqlx::Result<()> {
    let sql = "delete from users where id = $1";
    on!(conn, |c| sqlx::query(sql)
        .bind(id)
        .execute(c)
        .await
        .map(drop))
}
