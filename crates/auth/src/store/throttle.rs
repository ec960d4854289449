use std::time::Duration;

use cgcg_core::{Conn, Id, Timestamp, User, on};

use crate::throttle::{Key, Now};

/// What a counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Failed logins with a name, somebody's or nobody's.
    Account,
    /// The same from an address from which it was logged in before.
    Known,
    /// Mails of a window of time, whose end is `blocked_until`.
    Mail,
}

impl Kind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Account => "account",
            Self::Known => "known",
            Self::Mail => "mail",
        }
    }
}

/// Failures that count, and until when nobody may try.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct CounterInDb {
    pub(crate) key: Vec<u8>,
    pub(crate) failures: i64,
    pub(crate) last_at: Timestamp,
    pub(crate) blocked_until: Timestamp,
}

/// The counters with these keys that are not yet forgotten.
pub(crate) async fn find(
    conn: &mut Conn,
    keys: [&Key; 2],
    now: Now,
) -> sqlx::Result<Vec<CounterInDb>> {
    let sql =
        "select key, failures, last_at, blocked_until from auth_throttle where key in ($1, $2)
               and last_at >= case when kind = 'known' then $3 else $4 end";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(keys[0].as_slice())
        .bind(keys[1].as_slice())
        .bind(now.month)
        .bind(now.day)
        .fetch_all(c)
        .await)
}

/// Counts one failure more; answers how many that makes. `None`, and nothing is counted, while nobody may try.
pub(crate) async fn fail(
    conn: &mut Conn,
    key: &Key,
    kind: Kind,
    owner: Option<Id<User>>,
    now: Now,
) -> sqlx::Result<Option<i64>> {
    let sql = "insert into auth_throttle (key, kind, owner, failures, last_at, blocked_until)
               values ($1, $2, $3, 1, $4, $4)
               on conflict (key) do update set last_at = excluded.last_at, owner = excluded.owner,
                 failures = case when auth_throttle.last_at < $5 then 1 else auth_throttle.failures + 1 end
               where auth_throttle.blocked_until <= excluded.last_at
               returning failures";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(key.as_slice())
        .bind(kind.as_str())
        .bind(owner)
        .bind(now.at)
        .bind(now.day)
        .fetch_optional(c)
        .await)
}

/// Until when nobody may try, where there is such a counter.
pub(crate) async fn blocked_until(conn: &mut Conn, key: &Key) -> sqlx::Result<Option<Timestamp>> {
    let sql = "select blocked_until from auth_throttle where key = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(key.as_slice())
        .fetch_optional(c)
        .await)
}

/// As [`blocked_until`], of a row that is held until the transaction ends: whoever fails meanwhile counts after it.
pub(crate) async fn hold(conn: &mut Conn, key: &Key) -> sqlx::Result<Option<Timestamp>> {
    let sql = "update auth_throttle set failures = failures where key = $1 returning blocked_until";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(key.as_slice())
        .fetch_optional(c)
        .await)
}

/// Nobody may try before `until`.
pub(crate) async fn block(conn: &mut Conn, key: &Key, until: Timestamp) -> sqlx::Result<()> {
    let sql = "update auth_throttle set blocked_until = $2 where key = $1";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(key.as_slice())
            .bind(until)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Remembers that the owner logged in from here.
pub(crate) async fn know(
    conn: &mut Conn,
    key: &Key,
    owner: Id<User>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_throttle (key, kind, owner, failures, last_at, blocked_until)
               values ($1, 'known', $2, 0, $3, $3)
               on conflict (key) do update set failures = 0, last_at = excluded.last_at,
                 blocked_until = excluded.blocked_until";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(key.as_slice())
            .bind(owner)
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Counts one mail in a window of `length`; answers how many there were in it, and when it ends.
pub(crate) async fn count_mail(
    conn: &mut Conn,
    key: &Key,
    now: Timestamp,
    length: Duration,
) -> sqlx::Result<(i64, Timestamp)> {
    let sql = "insert into auth_throttle (key, kind, failures, last_at, blocked_until)
               values ($1, $2, 1, $3, $4)
               on conflict (key) do update set last_at = excluded.last_at,
                 failures = case when auth_throttle.blocked_until <= $3 then 1 else auth_throttle.failures + 1 end,
                 blocked_until = case when auth_throttle.blocked_until <= $3 then $4
                   else auth_throttle.blocked_until end
               returning failures, blocked_until";
    on!(conn, |c| sqlx::query_as(sql)
        .bind(key.as_slice())
        .bind(Kind::Mail.as_str())
        .bind(now)
        .bind(now + length)
        .fetch_one(c)
        .await)
}

/// Forgets one counter.
pub(crate) async fn forget(conn: &mut Conn, key: &Key) -> sqlx::Result<()> {
    let sql = "delete from auth_throttle where key = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(key.as_slice()).execute(c).await?;
    });
    Ok(())
}

/// Opens an account: its failures count no longer. Known addresses stay known.
pub(crate) async fn forgive(conn: &mut Conn, owner: Id<User>) -> sqlx::Result<()> {
    let sql = "update auth_throttle set failures = 0, blocked_until = 0 where owner = $1";
    super::for_id(conn, sql, owner.uuid()).await
}

pub(crate) async fn delete_of(conn: &mut Conn, owner: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_throttle where owner = $1";
    super::for_id(conn, sql, owner.uuid()).await
}

/// Removes up to `limit` counters that are forgotten.
pub(crate) async fn purge(conn: &mut Conn, now: Now, limit: i64) -> sqlx::Result<u64> {
    let sql =
        "delete from auth_throttle where key in (select key from auth_throttle where last_at < $1
                 and (last_at < $2 or kind <> 'known') limit $3)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(now.day)
        .bind(now.month)
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}
