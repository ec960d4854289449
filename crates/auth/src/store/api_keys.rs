use cgcg_core::{ApiKey, Conn, Id, Limit, Timestamp, on};
use sqlx::types::Json;
use uuid::Uuid;

use super::subjects::{Rights, rights_columns};
use crate::schemas::ApiKeyInDb;

macro_rules! columns {
    () => {
        "k.id, k.owner_id, k.name, k.hint, k.scopes as key_scopes, k.created_by, k.created_at, k.expires_at,
         k.last_used_at, k.revoked_at"
    };
}

macro_rules! standing {
    ($where:literal) => {
        concat!(
            "select ",
            columns!(),
            ", j.kind, a.disabled_at, j.epoch, ",
            rights_columns!(),
            " from auth_api_keys k join auth_subjects j on j.id = k.owner_id
                left join auth_service_accounts a on a.id = k.owner_id ",
            $where
        )
    };
}

/// A key together with what its owner may do now.
#[derive(sqlx::FromRow)]
pub(crate) struct KeyStanding {
    #[sqlx(flatten)]
    pub(crate) key: ApiKeyInDb,
    #[sqlx(flatten)]
    pub(crate) rights: Rights,
    /// `user` or `service`.
    pub(crate) kind: String,
    /// When the service account that owns it was disabled.
    pub(crate) disabled_at: Option<Timestamp>,
}

/// By the SHA-256 of its text.
pub(crate) async fn standing_by_hash(
    conn: &mut Conn,
    secret_hash: &[u8],
) -> sqlx::Result<Option<KeyStanding>> {
    let sql = standing!("where k.secret_hash = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(secret_hash)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn standing(conn: &mut Conn, id: Id<ApiKey>) -> sqlx::Result<Option<KeyStanding>> {
    let sql = standing!("where k.id = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn insert(
    conn: &mut Conn,
    row: &ApiKeyInDb,
    secret_hash: &[u8],
) -> sqlx::Result<()> {
    let sql = "insert into auth_api_keys (id, owner_id, name, hint, secret_hash, scopes, created_by, created_at, expires_at)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(row.id)
            .bind(row.owner_id)
            .bind(&row.name)
            .bind(&row.hint)
            .bind(secret_hash)
            .bind(&row.key_scopes)
            .bind(row.created_by)
            .bind(row.created_at)
            .bind(row.expires_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// A key of this owner that was not revoked.
pub(crate) async fn find(
    conn: &mut Conn,
    owner: Uuid,
    id: Id<ApiKey>,
) -> sqlx::Result<Option<ApiKeyInDb>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from auth_api_keys k where k.owner_id = $1 and k.id = $2 and k.revoked_at is null"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(owner)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// A page of the owner's keys that were not revoked, oldest first, one row more than it holds.
pub(crate) async fn list(
    conn: &mut Conn,
    owner: Uuid,
    after: Uuid,
    limit: Limit,
) -> sqlx::Result<Vec<ApiKeyInDb>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from auth_api_keys k where k.owner_id = $1 and k.id > $2 and k.revoked_at is null
          order by k.id limit $3"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(owner)
        .bind(after)
        .bind(limit.one_more())
        .fetch_all(c)
        .await)
}

/// How many keys of the owner work.
pub(crate) async fn count_live(conn: &mut Conn, owner: Uuid, now: Timestamp) -> sqlx::Result<i64> {
    let sql = "select count(*) from auth_api_keys
               where owner_id = $1 and revoked_at is null and (expires_at is null or expires_at > $2)";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(owner)
        .bind(now)
        .fetch_one(c)
        .await)
}

/// Ends a key of this owner. `false` where there is none that works.
pub(crate) async fn revoke(
    conn: &mut Conn,
    owner: Uuid,
    id: Id<ApiKey>,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update auth_api_keys set revoked_at = $3 where owner_id = $1 and id = $2 and revoked_at is null";
    let ended = on!(conn, |c| sqlx::query(sql)
        .bind(owner)
        .bind(id)
        .bind(now)
        .execute(c)
        .await?
        .rows_affected());
    Ok(ended == 1)
}

/// Ends all keys of the owner; answers which.
pub(crate) async fn revoke_of(
    conn: &mut Conn,
    owner: Uuid,
    now: Timestamp,
) -> sqlx::Result<Vec<Id<ApiKey>>> {
    let sql = "update auth_api_keys set revoked_at = $2 where owner_id = $1 and revoked_at is null returning id";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(owner)
        .bind(now)
        .fetch_all(c)
        .await)
}

/// Notes a use, unless one is noted that is not older than `since`.
pub(crate) async fn used(
    conn: &mut Conn,
    id: Id<ApiKey>,
    at: Timestamp,
    since: Timestamp,
) -> sqlx::Result<()> {
    let sql = "update auth_api_keys set last_used_at = $2
               where id = $1 and (last_used_at is null or last_used_at <= $3)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(at)
            .bind(since)
            .execute(c)
            .await?;
    });
    Ok(())
}

pub(crate) async fn delete_of(conn: &mut Conn, owner: Uuid) -> sqlx::Result<()> {
    let sql = "delete from auth_api_keys where owner_id = $1";
    super::for_id(conn, sql, owner).await
}

/// Removes up to `limit` keys that ended before `before`.
pub(crate) async fn purge(conn: &mut Conn, before: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from auth_api_keys
               where id in (select id from auth_api_keys where expires_at < $1 or revoked_at < $1 limit $2)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(before)
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}

/// How the scopes of a key are stored.
pub(crate) type KeyScopes = Json<Vec<String>>;
