use cgcg_core::{Conn, Id, Timestamp, User, on};

use super::subjects::{Rights, rights_columns};

/// What a login has to know of an account.
#[derive(sqlx::FromRow)]
pub(crate) struct Known {
    pub(crate) hash: String,
    epoch: Option<i64>,
    roles: Option<String>,
    scopes: Option<String>,
}

impl Known {
    /// `None` for an account that was never seen here.
    pub(crate) fn rights(&self) -> Option<Rights> {
        Some(Rights::new(
            self.epoch?,
            self.roles.clone(),
            self.scopes.clone(),
        ))
    }
}

pub(crate) async fn known(conn: &mut Conn, user: Id<User>) -> sqlx::Result<Option<Known>> {
    let sql = concat!(
        "select p.hash, j.epoch, ",
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
    let sql = "insert into auth_passwords (user_id, hash, imported, must_change, changed_at)
               values ($1, $2, $3, $4, $5)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(hash)
            .bind(false)
            .bind(false)
            .bind(now)
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
    let sql = "insert into auth_passwords (user_id, hash, imported, must_change, changed_at)
               values ($1, $2, $3, $3, $4)
               on conflict (user_id) do update
               set hash = excluded.hash, imported = $3, must_change = $3, changed_at = $4";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(hash)
            .bind(false)
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Puts a stronger hash of the same password in place of `old`. Somebody who changed the password meanwhile wins.
pub(crate) async fn rehash(
    conn: &mut Conn,
    user: Id<User>,
    old: &str,
    new: &str,
) -> sqlx::Result<bool> {
    let sql = "update auth_passwords set hash = $3, imported = $4 where user_id = $1 and hash = $2";
    let changed = on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(old)
            .bind(new)
            .bind(false)
            .execute(c)
            .await?
            .rows_affected()
    });
    Ok(changed == 1)
}

pub(crate) async fn delete(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_passwords where user_id = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(user).execute(c).await?;
    });
    Ok(())
}
