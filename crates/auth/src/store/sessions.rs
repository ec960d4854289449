use cgcg_core::{Conn, Cursor, Engine, Id, Limit, Session, Timestamp, User, on};
use sqlx::types::Json;
use uuid::Uuid;

use super::subjects::rights_columns;
use crate::schemas::{SessionInDb, SessionRow};

macro_rules! columns {
    () => {
        "id, user_id, gen, salt, rotated_at, idle_expires_at, expires_at, revoked_at, logged_in_at, factors, scope_limit"
    };
}

/// A session together with what its account may do now.
#[derive(sqlx::FromRow)]
pub(crate) struct Standing {
    #[sqlx(flatten)]
    pub(crate) session: SessionInDb,
    #[sqlx(flatten)]
    pub(crate) rights: super::subjects::Rights,
}

/// What is written of a new session beside [`SessionInDb`].
pub(crate) struct Origin<'a> {
    pub(crate) methods: &'a str,
    pub(crate) ip: Option<String>,
    pub(crate) user_agent: Option<&'a str>,
}

macro_rules! insert {
    () => {
        "insert into auth_sessions (id, user_id, gen, salt, rotated_at, created_at, last_seen_at,
           idle_expires_at, expires_at, logged_in_at, methods, factors, scope_limit, ip, user_agent)
         select $1, id, $3, $4, $5, $5, $5, $6, $7, $8, $9, $10, $11, $12, $13
           from auth_subjects where id = $2 and epoch = $14"
    };
}

/// Writes a session of an account that still has this epoch, and holds the account until the transaction ends: a change
/// that is under way must not miss the session that it has to end. `false` where the epoch is another.
pub(crate) async fn insert(
    conn: &mut Conn,
    row: &SessionInDb,
    origin: &Origin<'_>,
    epoch: i64,
) -> sqlx::Result<bool> {
    let sql = match conn.engine() {
        Engine::Sqlite => insert!(),
        Engine::Postgres => concat!(insert!(), " for no key update"),
    };
    let inserted = on!(conn, |c| {
        sqlx::query(sql)
            .bind(row.id)
            .bind(row.user_id)
            .bind(row.r#gen)
            .bind(&row.salt)
            .bind(row.rotated_at)
            .bind(row.idle_expires_at)
            .bind(row.expires_at)
            .bind(row.logged_in_at)
            .bind(origin.methods)
            .bind(row.factors)
            .bind(row.scope_limit.as_ref())
            .bind(origin.ip.as_deref())
            .bind(origin.user_agent)
            .bind(epoch)
            .execute(c)
            .await?
            .rows_affected()
    });
    Ok(inserted == 1)
}

pub(crate) async fn find(conn: &mut Conn, id: Id<Session>) -> sqlx::Result<Option<SessionInDb>> {
    let sql = concat!("select ", columns!(), " from auth_sessions where id = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn standing(conn: &mut Conn, id: Id<Session>) -> sqlx::Result<Option<Standing>> {
    let sql = concat!(
        "select t.id, t.user_id, t.gen, t.salt, t.rotated_at, t.idle_expires_at, t.expires_at, t.revoked_at,
           t.logged_in_at, t.factors, t.scope_limit, j.epoch, ",
        rights_columns!(),
        " from auth_sessions t join auth_subjects j on j.id = t.user_id where t.id = $1"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// One step of the lineage, if `generation` is the newest one of a live session. Of any number that try, one gets it.
pub(crate) async fn rotate(
    conn: &mut Conn,
    id: Id<Session>,
    generation: i64,
    now: Timestamp,
    idle_expires_at: Timestamp,
) -> sqlx::Result<Option<SessionInDb>> {
    let sql = concat!(
        "update auth_sessions set gen = gen + 1, rotated_at = $3, last_seen_at = $3, idle_expires_at = $4
         where id = $1 and gen = $2 and revoked_at is null and expires_at > $3 and idle_expires_at > $3
         returning ",
        columns!()
    );
    on!(conn, |c| {
        sqlx::query_as(sql)
            .bind(id)
            .bind(generation)
            .bind(now)
            .bind(idle_expires_at)
            .fetch_optional(c)
            .await
    })
}

macro_rules! live {
    ($condition:literal) => {
        concat!(
            "select id, label, ip, user_agent, created_at, last_seen_at, logged_in_at, idle_expires_at, expires_at,
               methods, scope_limit from auth_sessions
             where user_id = $1 and revoked_at is null and expires_at > $2 and idle_expires_at > $2 and ",
            $condition
        )
    };
}

/// Live sessions of an account before `cursor`, one more than `limit`; the newest first.
pub(crate) async fn list(
    conn: &mut Conn,
    user: Id<User>,
    cursor: Option<Cursor>,
    limit: Limit,
    now: Timestamp,
) -> sqlx::Result<Vec<SessionRow>> {
    let sql = live!("id < $3 order by id desc limit $4");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(user)
        .bind(now)
        .bind(cursor.map_or(Uuid::max(), |cursor| cursor.id))
        .bind(limit.one_more())
        .fetch_all(c)
        .await)
}

/// A live session of this account.
pub(crate) async fn find_live(
    conn: &mut Conn,
    user: Id<User>,
    id: Id<Session>,
    now: Timestamp,
) -> sqlx::Result<Option<SessionRow>> {
    let sql = live!("id = $3");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(user)
        .bind(now)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// Names a session of this account.
pub(crate) async fn label(
    conn: &mut Conn,
    user: Id<User>,
    id: Id<Session>,
    label: Option<&str>,
) -> sqlx::Result<()> {
    let sql = "update auth_sessions set label = $3 where id = $1 and user_id = $2";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(user)
            .bind(label)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Writes that a session was used. Never back in time: a refresh may have been later.
pub(crate) async fn see(conn: &mut Conn, id: Id<Session>, at: Timestamp) -> sqlx::Result<()> {
    let sql = "update auth_sessions set last_seen_at = $2 where id = $1 and last_seen_at < $2";
    on!(conn, |c| {
        sqlx::query(sql).bind(id).bind(at).execute(c).await?;
    });
    Ok(())
}

/// Notes that whoever holds a live session has just proved who they are, once more.
pub(crate) async fn prove(
    conn: &mut Conn,
    id: Id<Session>,
    now: Timestamp,
) -> sqlx::Result<Option<SessionInDb>> {
    let sql = concat!(
        "update auth_sessions set logged_in_at = $2
         where id = $1 and revoked_at is null and expires_at > $2 and idle_expires_at > $2
         returning ",
        columns!()
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .bind(now)
        .fetch_optional(c)
        .await)
}

/// Ends a session. `false` where it had ended.
pub(crate) async fn revoke(
    conn: &mut Conn,
    id: Id<Session>,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<bool> {
    let sql = "update auth_sessions set revoked_at = $3, revoke_reason = $2 where id = $1 and revoked_at is null";
    let ended = on!(conn, |c| sqlx::query(sql)
        .bind(id)
        .bind(reason)
        .bind(now)
        .execute(c)
        .await?
        .rows_affected());
    Ok(ended == 1)
}

/// Ends all sessions of an account but `keep`; answers which.
pub(crate) async fn revoke_of(
    conn: &mut Conn,
    user: Id<User>,
    keep: Option<Id<Session>>,
    reason: &str,
    now: Timestamp,
) -> sqlx::Result<Vec<Id<Session>>> {
    let sql = "update auth_sessions set revoked_at = $4, revoke_reason = $3
               where user_id = $1 and revoked_at is null and id <> $2 returning id";
    let keep = keep.unwrap_or(Id::from_uuid(Uuid::nil()));
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(user)
        .bind(keep)
        .bind(reason)
        .bind(now)
        .fetch_all(c)
        .await)
}

/// Ends the oldest sessions of an account, so that beside `keep` at most `others` live; answers which.
pub(crate) async fn revoke_surplus(
    conn: &mut Conn,
    user: Id<User>,
    keep: Id<Session>,
    others: i64,
    now: Timestamp,
) -> sqlx::Result<Vec<Id<Session>>> {
    // SQLite takes an offset only behind a limit.
    let sql = "update auth_sessions set revoked_at = $4, revoke_reason = 'surplus'
               where id in (select id from auth_sessions
                             where user_id = $1 and revoked_at is null and id <> $2
                               and expires_at > $4 and idle_expires_at > $4
                             order by id desc limit 100000 offset $3)
               returning id";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(user)
        .bind(keep)
        .bind(others)
        .bind(now)
        .fetch_all(c)
        .await)
}

pub(crate) async fn delete_of(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_sessions where user_id = $1";
    super::for_id(conn, sql, user.uuid()).await
}

/// Removes up to `limit` sessions that ended before `before`.
pub(crate) async fn purge(conn: &mut Conn, before: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from auth_sessions
               where id in (select id from auth_sessions
                             where expires_at < $1 or idle_expires_at < $1 or revoked_at < $1 limit $2)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(before)
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}

/// How a limit of scopes is stored.
pub(crate) type ScopeLimit = Json<Vec<String>>;
