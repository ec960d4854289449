use cgcg_core::{Conn, Id, Timestamp, User, on};

/// A named set of scopes.
pub(crate) enum Role {}

/// Adds a built-in role unless it is there.
pub(crate) async fn insert_builtin(
    conn: &mut Conn,
    id: Id<Role>,
    name: &str,
    about: &str,
) -> sqlx::Result<()> {
    let sql =
        "insert into auth_roles (id, name, about, builtin, version) values ($1, $2, $3, $4, 1)
               on conflict (name) do nothing";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(name)
            .bind(about)
            .bind(true)
            .execute(c)
            .await?;
    });
    Ok(())
}

pub(crate) async fn find(conn: &mut Conn, name: &str) -> sqlx::Result<Option<Id<Role>>> {
    let sql = "select id from auth_roles where name = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn scopes(conn: &mut Conn, name: &str) -> sqlx::Result<Vec<String>> {
    let sql = "select s.scope from auth_role_scopes s join auth_roles r on r.id = s.role_id where r.name = $1";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .fetch_all(c)
        .await)
}

pub(crate) async fn add_scope(conn: &mut Conn, role: Id<Role>, scope: &str) -> sqlx::Result<()> {
    let sql =
        "insert into auth_role_scopes (role_id, scope) values ($1, $2) on conflict do nothing";
    on!(conn, |c| {
        sqlx::query(sql).bind(role).bind(scope).execute(c).await?;
    });
    Ok(())
}

pub(crate) async fn remove_scope(conn: &mut Conn, role: Id<Role>, scope: &str) -> sqlx::Result<()> {
    let sql = "delete from auth_role_scopes where role_id = $1 and scope = $2";
    on!(conn, |c| {
        sqlx::query(sql).bind(role).bind(scope).execute(c).await?;
    });
    Ok(())
}

/// Gives a role by its name. A role that is not there gives nothing.
pub(crate) async fn grant(
    conn: &mut Conn,
    user: Id<User>,
    role: &str,
    by: Option<uuid::Uuid>,
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

/// Holds the row of a role until the transaction ends, so that what is counted next stays true.
///
/// A count inside of the statement that removes is no guard: on PostgreSQL two of them see each other's row.
pub(crate) async fn lock(conn: &mut Conn, name: &str) -> sqlx::Result<()> {
    let sql = "update auth_roles set version = version + 1 where name = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(name).execute(c).await?;
    });
    Ok(())
}

/// Who has the role, disabled accounts too; at most `limit`.
pub(crate) async fn holders(
    conn: &mut Conn,
    name: &str,
    limit: i64,
) -> sqlx::Result<Vec<Id<User>>> {
    let sql = "select g.subject_id from auth_grants g join auth_roles r on r.id = g.role_id
               where r.name = $1 order by g.subject_id limit $2";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(name)
        .bind(limit)
        .fetch_all(c)
        .await)
}

pub(crate) async fn delete_grants(conn: &mut Conn, user: Id<User>) -> sqlx::Result<()> {
    let sql = "delete from auth_grants where subject_id = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(user).execute(c).await?;
    });
    Ok(())
}
