use cgcg_core::{Conn, Id, Timestamp, User, on};
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

/// Gives a role by its name. A role that is not there gives nothing.
pub(crate) async fn add_named(
    conn: &mut Conn,
    user: Id<User>,
    role: &str,
    by: Option<Uuid>,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_grants (subject_id, role_id, granted_by, granted_at)
               select $1, id, $3, $4 from auth_roles where name = $2 on conflict do nothing";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(user)
            .bind(role)
            .bind(by)
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Which persons have the role, disabled ones too; at most `limit`.
pub(crate) async fn holders(
    conn: &mut Conn,
    name: &str,
    limit: i64,
) -> sqlx::Result<Vec<Id<User>>> {
    let sql = "select g.subject_id from auth_grants g join auth_roles r on r.id = g.role_id
                 join auth_subjects j on j.id = g.subject_id and j.kind = 'user'
               where r.name = $1 order by g.subject_id limit $2";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .bind(limit)
        .fetch_all(c)
        .await)
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

pub(crate) async fn delete_of<T>(conn: &mut Conn, subject: Id<T>) -> sqlx::Result<()> {
    let sql = "delete from auth_grants where subject_id = $1";
    super::for_id(conn, sql, subject.uuid()).await
}
