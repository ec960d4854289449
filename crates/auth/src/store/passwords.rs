use cgcg_core::{Conn, Id, Timestamp, User, on};

pub(crate) async fn find(conn: &mut Conn, user: Id<User>) -> sqlx::Result<Option<String>> {
    let sql = "select hash from auth_passwords where user_id = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
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
