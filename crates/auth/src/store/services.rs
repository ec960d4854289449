use cgcg_core::{Conn, Id, Limit, ServiceAccount, on};
use uuid::Uuid;

use crate::schemas::ServiceAccountInDb;

macro_rules! columns {
    () => {
        "a.id, a.name, a.about, a.disabled_at, a.created_by, a.created_at, a.version,
         (select string_agg(r.name, ' ') from auth_grants g join auth_roles r on r.id = g.role_id
           where g.subject_id = a.id) as roles"
    };
}

/// Adds a service account and its subject. `false` where the name is taken.
pub(crate) async fn insert(conn: &mut Conn, row: &ServiceAccountInDb) -> sqlx::Result<bool> {
    let sql = "insert into auth_service_accounts (id, name, about, created_by, created_at, version)
               values ($1, $2, $3, $4, $5, 1) on conflict (name) do nothing";
    let made = on!(conn, |c| sqlx::query(sql)
        .bind(row.id)
        .bind(&row.name)
        .bind(&row.about)
        .bind(row.created_by)
        .bind(row.created_at)
        .execute(c)
        .await?
        .rows_affected());
    if made == 1 {
        let sql = "insert into auth_subjects (id, kind, epoch) values ($1, 'service', 0)";
        on!(conn, |c| {
            sqlx::query(sql).bind(row.id).execute(c).await?;
        });
    }
    Ok(made == 1)
}

pub(crate) async fn find(
    conn: &mut Conn,
    id: Id<ServiceAccount>,
) -> sqlx::Result<Option<ServiceAccountInDb>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from auth_service_accounts a where a.id = $1"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

/// A page in the order in which they were made, one row more than it holds.
pub(crate) async fn list(
    conn: &mut Conn,
    after: Uuid,
    limit: Limit,
) -> sqlx::Result<Vec<ServiceAccountInDb>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from auth_service_accounts a where a.id > $1 order by a.id limit $2"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(after)
        .bind(limit.one_more())
        .fetch_all(c)
        .await)
}

/// Whether another one has this name.
pub(crate) async fn is_taken(
    conn: &mut Conn,
    name: &str,
    id: Id<ServiceAccount>,
) -> sqlx::Result<bool> {
    let sql = "select count(*) from auth_service_accounts where name = $1 and id <> $2";
    let others: i64 = on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .bind(id)
        .fetch_one(c)
        .await?);
    Ok(others > 0)
}

/// Stores name, text and status, and the next version.
pub(crate) async fn save(conn: &mut Conn, row: &ServiceAccountInDb) -> sqlx::Result<()> {
    let sql = "update auth_service_accounts set name = $2, about = $3, disabled_at = $4, version = version + 1
               where id = $1";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(row.id)
            .bind(&row.name)
            .bind(&row.about)
            .bind(row.disabled_at)
            .execute(c)
            .await?;
    });
    Ok(())
}

/// Counts a change of what stands in other tables.
pub(crate) async fn touch(conn: &mut Conn, id: Id<ServiceAccount>) -> sqlx::Result<()> {
    let sql = "update auth_service_accounts set version = version + 1 where id = $1";
    super::for_id(conn, sql, id.uuid()).await
}

pub(crate) async fn delete(conn: &mut Conn, id: Id<ServiceAccount>) -> sqlx::Result<()> {
    let sql = "delete from auth_service_accounts where id = $1";
    super::for_id(conn, sql, id.uuid()).await
}
