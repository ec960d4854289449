use cgcg_core::{Conn, Id, Timestamp, on};
use uuid::Uuid;

use crate::schemas::Role;

pub(crate) async fn add<T>(
    conn: &mut Conn,
    subject: Id<T>,
    role: Id<Role>,
    by: Option<Uuid>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_grants (subject_id, role_id, granted_by, granted_at)
               values ($1, $2, $3, $4) on conflict do nothing";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(subject)
            .bind(role)
            .bind(by)
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}

pub(crate) async fn remove<T>(conn: &mut Conn, subject: Id<T>, role: &str) -> sqlx::Result<()> {
    let sql = "delete from auth_grants
               where subject_id = $1 and role_id in (select id from auth_roles where name = $2)";
    on!(conn, |c| {
        sqlx::query(sql).bind(subject).bind(role).execute(c).await?;
    });
    Ok(())
}

/// Takes a role from everybody; answers from whom. Their access tokens are stale from then on.
pub(crate) async fn remove_all(conn: &mut Conn, role: Id<Role>) -> sqlx::Result<Vec<Uuid>> {
    let stale = "update auth_subjects set epoch = epoch + 1
                 where id in (select subject_id from auth_grants where role_id = $1)";
    on!(conn, |c| {
        sqlx::query(stale).bind(role).execute(c).await?;
    });
    let sql = "delete from auth_grants where role_id = $1 returning subject_id";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(role)
        .fetch_all(c)
        .await)
}
