use cgcg_core::{Conn, Id, Timestamp, User, on};

use super::subjects::{Rights, rights_columns};
use crate::password::Stored;

/// Steps through the index from one cost to the next: `distinct` would read a row of each account.
macro_rules! costs_query {
    () => {
        "with recursive c (cost) as (
           select min(cost) from auth_passwords
           union all
           select (select min(p.cost) from auth_passwords p where p.cost > c.cost) from c where c.cost is not null
         )"
    };
}

/// What a login has to know of an account.
#[derive(sqlx::FromRow)]
pub(crate) struct Known {
    pub(crate) hash: String,
    /// Others made the hash: of the bytes as they came.
    imported: bool,
    /// Nobody logs in with it before it is changed.
    pub(crate) must_change: bool,
    epoch: Option<i64>,
    roles: Option<String>,
    scopes: Option<String>,
}

impl Known {
    pub(crate) fn stored(&self) -> Stored<'_> {
        Stored {
            hash: &self.hash,
            imported: self.imported,
        }
    }

    /// `None` for an account that was never seen here.
    pub(crate) fn rights(&self) -> Option<Rights> {
        Some(Rights::new(
            self.epoch?,
            self.roles.clone(),
            self.scopes.clone(),
        ))
    }
}

/// A hash that others made.
pub(crate) struct ForeignPassword<'a> {
    pub(crate) hash: &'a str,
    pub(crate) cost: &'a str,
    pub(crate) must_change: bool,
}

pub(crate) async fn known(conn: &mut Conn, user: Id<User>) -> sqlx::Result<Option<Known>> {
    let sql = concat!(
        "select p.hash, p.imported, p.must_change, j.epoch, ",
        rights_columns!(),
        " from auth_passwords p left join auth_subjects j on j.id = p.user_id where p.user_id = $1"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(user)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn insert(
    conn: &mut Conn,
    user: Id<User>,
    hash: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_passwords (user_id, hash, imported, must_change, changed_at, cost)
               values ($1, $2, $3, $4, $5, $6)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(hash)
            .bind(false)
            .bind(false)
            .bind(now)
            .bind(own_cost(hash))
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Puts a new password in place of whatever there was, nothing too. It is the owner's own choice.
pub(crate) async fn set(
    conn: &mut Conn,
    user: Id<User>,
    hash: &str,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_passwords (user_id, hash, imported, must_change, changed_at, cost)
               values ($1, $2, $3, $3, $4, $5)
               on conflict (user_id) do update
               set hash = excluded.hash, imported = $3, must_change = $3, changed_at = $4, cost = $5";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(hash)
            .bind(false)
            .bind(now)
            .bind(own_cost(hash))
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Whether the next login has to set another password.
pub(crate) async fn must_change(
    conn: &mut Conn,
    user: Id<User>,
    must_change: bool,
) -> sqlx::Result<()> {
    let sql = "update auth_passwords set must_change = $2 where user_id = $1";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(must_change)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Takes over a hash that others made.
pub(crate) async fn import(
    conn: &mut Conn,
    user: Id<User>,
    password: &ForeignPassword<'_>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_passwords (user_id, hash, imported, must_change, changed_at, cost)
               values ($1, $2, $3, $4, $5, $6)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(password.hash)
            .bind(true)
            .bind(password.must_change)
            .bind(now)
            .bind(password.cost)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Puts another password in place of `old`, unless somebody was faster.
pub(crate) async fn change(
    conn: &mut Conn,
    user: Id<User>,
    old: &str,
    new: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update auth_passwords set hash = $3, imported = $4, must_change = $4, changed_at = $5, cost = $6
               where user_id = $1 and hash = $2";
    let changed = on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(old)
            .bind(new)
            .bind(false)
            .bind(now)
            .bind(own_cost(new))
            .execute(c)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

/// One hash of each cost that is stored, at most `limit`.
pub(crate) async fn one_of_each_cost(conn: &mut Conn, limit: i64) -> sqlx::Result<Vec<String>> {
    let sql = concat!(
        costs_query!(),
        " select (select p.hash from auth_passwords p where p.cost = c.cost limit 1)
          from c where cost is not null limit $1"
    );
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Every cost that is stored, at most `limit`.
pub(crate) async fn costs(conn: &mut Conn, limit: i64) -> sqlx::Result<Vec<String>> {
    let sql = concat!(
        costs_query!(),
        " select cost from c where cost is not null limit $1"
    );
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(limit)
        .fetch_all(c)
        .await)
}

/// Puts a stronger hash of the same password in place of `old`. Somebody who changed the password meanwhile wins.
pub(crate) async fn rehash(
    conn: &mut Conn,
    user: Id<User>,
    old: &str,
    new: &str,
) -> sqlx::Result<bool> {
    let sql = "update auth_passwords set hash = $3, imported = $4, cost = $5 where user_id = $1 and hash = $2";
    let changed = on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(old)
            .bind(new)
            .bind(false)
            .bind(own_cost(new))
            .execute(c)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

pub(crate) async fn delete(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_passwords where user_id = $1";
    super::for_id(conn, sql, user.uuid()).await
}

/// What stands before salt and hash in a text of ours.
fn own_cost(hash: &str) -> &str {
    hash.rsplitn(3, '$').nth(2).unwrap_or(hash)
}
