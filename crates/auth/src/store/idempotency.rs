use cgcg_core::{Conn, Id, Timestamp, User, on};

/// What a registration with a key answered.
#[derive(sqlx::FromRow)]
pub(crate) struct ReplayInDb {
    /// MAC of the request.
    pub(crate) fingerprint: Vec<u8>,
    /// The account that was made and shown; `None` where the answer was to look into one's mail.
    pub(crate) user_id: Option<Id<User>>,
}

/// The answer of a key that was first used after `since`.
pub(crate) async fn find(
    conn: &mut Conn,
    key: &[u8],
    since: Timestamp,
) -> sqlx::Result<Option<ReplayInDb>> {
    let sql =
        "select fingerprint, user_id from auth_idempotency where key = $1 and created_at > $2";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(key)
        .bind(since)
        .fetch_optional(c)
        .await)
}

/// Takes the key, unless it was used after `since`. Whoever else uses it at this moment waits for our commit, and gets
/// `false`.
pub(crate) async fn claim(
    conn: &mut Conn,
    key: &[u8],
    fingerprint: &[u8],
    since: Timestamp,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "insert into auth_idempotency (key, fingerprint, user_id, created_at) values ($1, $2, null, $4)
               on conflict (key) do update set fingerprint = excluded.fingerprint, user_id = null, created_at = $4
               where auth_idempotency.created_at <= $3";
    let claimed = on!(conn, |c| sqlx::query(sql)
        .bind(key)
        .bind(fingerprint)
        .bind(since)
        .bind(now)
        .execute(c)
        .await?
        .rows_affected());
    Ok(claimed == 1)
}

/// Notes the account that the answer shows.
pub(crate) async fn answer(conn: &mut Conn, key: &[u8], user: Id<User>) -> sqlx::Result<()> {
    let sql = "update auth_idempotency set user_id = $2 where key = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(key).bind(user).execute(c).await?;
    });
    Ok(())
}

pub(crate) async fn delete_of(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_idempotency where user_id = $1";
    super::for_id(conn, sql, user.uuid()).await
}

/// Removes up to `limit` keys that were first used before `before`.
pub(crate) async fn purge(conn: &mut Conn, before: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from auth_idempotency
               where key in (select key from auth_idempotency where created_at < $1 limit $2)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(before)
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}
