use std::time::Duration;

use cgcg_core::{Conn, Cursor, Id, Limit, Timestamp, User, on};
use sqlx::types::Json;
use uuid::Uuid;

use crate::audit::{Audit, Entry};
use crate::schemas::{AuditFilter, AuditInDb};

/// Adds a line; one that is there already counts once more.
pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<Audit>,
    at: Timestamp,
    entry: &Entry,
) -> sqlx::Result<()> {
    let sql = "insert into auth_audit (id, at, action, outcome, actor_id, subject_id, session_id, ip, user_agent,
                 request_id, detail, count)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 1)
               on conflict (id) do update set count = auth_audit.count + 1";
    let device = &entry.device;
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(at)
            .bind(entry.action)
            .bind(entry.outcome)
            .bind(entry.actor)
            .bind(entry.subject)
            .bind(entry.session)
            .bind(device.ip.map(|ip| ip.to_string()))
            .bind(device.user_agent())
            .bind(device.request_id.as_deref())
            .bind(Json(&entry.detail))
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Lines of which the leading condition has an index; the newest first.
macro_rules! list {
    ($subject:literal, $actor:literal, $action:literal) => {
        concat!(
            "select id, at, action, outcome, count, actor_id, subject_id, session_id, ip, user_agent, request_id, detail
             from auth_audit where ",
            $subject,
            " and ",
            $actor,
            " and ",
            $action,
            " and id < $4 and id >= $5 and at >= $6 and at < $7 order by id desc limit $8"
        )
    };
}

/// Lines before `cursor`, one more than `limit`.
pub(crate) async fn list(
    conn: &mut Conn,
    filter: &AuditFilter,
    cursor: Option<Cursor>,
    limit: Limit,
) -> sqlx::Result<Vec<AuditInDb>> {
    let sql = match (filter.subject, filter.actor, &filter.action) {
        (Some(_), _, _) => list!(
            "subject_id = $1",
            "($2 is null or actor_id = $2)",
            "($3 is null or action = $3)"
        ),
        (_, Some(_), _) => list!(
            "($1 is null or subject_id = $1)",
            "actor_id = $2",
            "($3 is null or action = $3)"
        ),
        (_, _, Some(_)) => list!(
            "($1 is null or subject_id = $1)",
            "($2 is null or actor_id = $2)",
            "action = $3"
        ),
        _ => list!(
            "($1 is null or subject_id = $1)",
            "($2 is null or actor_id = $2)",
            "($3 is null or action = $3)"
        ),
    };
    let from = filter.from.unwrap_or(Timestamp::from_micros(0));
    let to = filter.to.unwrap_or(Timestamp::MAX);
    on!(conn, |c| sqlx::query_as(sql)
        .bind(filter.subject)
        .bind(filter.actor)
        .bind(filter.action.as_ref().map(|action| action.as_str()))
        .bind(cursor.map_or(Uuid::max(), |cursor| cursor.id))
        .bind(first_id(from - MINUTE))
        .bind(from)
        .bind(to)
        .bind(limit.one_more())
        .fetch_all(c)
        .await)
}

/// Forgets from where somebody came, in whatever they did or suffered; the ids stay.
pub(crate) async fn forget(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "update auth_audit set ip = null, user_agent = null,
                 detail = case when action = 'login.failure' then '{}' else detail end
               where subject_id = $1 or actor_id = $1";
    super::for_id(conn, sql, user.uuid()).await
}

/// Removes up to `limit` lines from before `before`.
pub(crate) async fn purge(conn: &mut Conn, before: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let sql =
        "delete from auth_audit where id in (select id from auth_audit where id < $1 limit $2)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(first_id(before))
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}

/// A counted line has the id of its minute.
const MINUTE: Duration = Duration::from_secs(60);

/// No id of that millisecond is smaller (RFC 9562, section 5.7): ids stand in for an index of times.
fn first_id(at: Timestamp) -> Uuid {
    let millis = u128::try_from(at.micros() / 1_000).unwrap_or_default();
    Uuid::from_u128(millis << 80)
}
