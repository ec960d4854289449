use cgcg_core::{Conn, Id, Limit, on};
use uuid::Uuid;

use crate::schemas::{Role, RoleInDb};

macro_rules! columns {
    () => {
        "r.id, r.name, r.about, r.builtin, r.version,
         (select string_agg(s.scope, ' ') from auth_role_scopes s where s.role_id = r.id) as scopes"
    };
}

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

/// A page of roles in the order in which they were made, one row more than it holds.
pub(crate) async fn list(
    conn: &mut Conn,
    after: Uuid,
    limit: Limit,
) -> sqlx::Result<Vec<RoleInDb>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from auth_roles r where r.id > $1 order by r.id limit $2"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(after)
        .bind(limit.one_more())
        .fetch_all(c)
        .await)
}

pub(crate) async fn get(conn: &mut Conn, id: Id<Role>) -> sqlx::Result<Option<RoleInDb>> {
    let sql = concat!("select ", columns!(), " from auth_roles r where r.id = $1");
    on!(conn, |c| sqlx::query_as(sql)
        .bind(id)
        .fetch_optional(c)
        .await)
}

pub(crate) async fn get_named(conn: &mut Conn, name: &str) -> sqlx::Result<Option<RoleInDb>> {
    let sql = concat!(
        "select ",
        columns!(),
        " from auth_roles r where r.name = $1"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(name)
        .fetch_optional(c)
        .await)
}

/// `false` where the name is taken.
pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<Role>,
    name: &str,
    about: &str,
) -> sqlx::Result<bool> {
    let sql =
        "insert into auth_roles (id, name, about, builtin, version) values ($1, $2, $3, $4, 1)
               on conflict (name) do nothing";
    let made = on!(conn, |c| sqlx::query(sql)
        .bind(id)
        .bind(name)
        .bind(about)
        .bind(false)
        .execute(c)
        .await?
        .rows_affected());
    Ok(made == 1)
}

/// Gives a role another text, and the next version.
pub(crate) async fn save(conn: &mut Conn, id: Id<Role>, about: &str) -> sqlx::Result<()> {
    let sql = "update auth_roles set about = $2, version = version + 1 where id = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(id).bind(about).execute(c).await?;
    });
    Ok(())
}

/// Removes a role and its scopes. Its grants are removed before.
pub(crate) async fn delete(conn: &mut Conn, id: Id<Role>) -> sqlx::Result<()> {
    for sql in [
        "delete from auth_role_scopes where role_id = $1",
        "delete from auth_roles where id = $1",
    ] {
        on!(conn, |c| {
            sqlx::query(sql).bind(id).execute(c).await?;
        });
    }
    Ok(())
}

/// Every scope that some role has.
pub(crate) async fn stored_scopes(conn: &mut Conn) -> sqlx::Result<Vec<String>> {
    let sql = "select distinct scope from auth_role_scopes order by scope";
    on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await)
}
