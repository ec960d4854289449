use cgcg_core::{Conn, Grants, Id, User, on};

/// Role names and scopes of `auth_subjects j`, each as one text: neither has blanks, and null is none.
macro_rules! rights_columns {
    () => {
        "(select string_agg(r.name, ' ') from auth_grants g join auth_roles r on r.id = g.role_id
           where g.subject_id = j.id) as roles,
         (select string_agg(s.scope, ' ') from auth_grants g join auth_role_scopes s on s.role_id = g.role_id
           where g.subject_id = j.id) as scopes"
    };
}

pub(crate) use rights_columns;

/// What an account may do now.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Rights {
    /// Rises with each change of password, roles or status: older access tokens are stale.
    pub(crate) epoch: i64,
    roles: Option<String>,
    scopes: Option<String>,
}

impl Rights {
    pub(crate) fn new(epoch: i64, roles: Option<String>, scopes: Option<String>) -> Self {
        Self {
            epoch,
            roles,
            scopes,
        }
    }

    pub(crate) fn roles(&self) -> Vec<String> {
        self.roles
            .iter()
            .flat_map(|names| names.split(' '))
            .map(str::to_owned)
            .collect()
    }

    pub(crate) fn grants(&self) -> Grants {
        self.scopes
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .collect()
    }
}

/// `None` for an account that was never seen here.
pub(crate) async fn rights<T>(conn: &mut Conn, subject: Id<T>) -> sqlx::Result<Option<Rights>> {
    let sql = concat!(
        "select j.epoch, ",
        rights_columns!(),
        " from auth_subjects j where j.id = $1"
    );
    on!(conn, |c| sqlx::query_as(sql)
        .bind(subject)
        .fetch_optional(c)
        .await)
}

/// Adds the account, unless it is there. `true` where it was added.
pub(crate) async fn insert(conn: &mut Conn, user: Id<User>) -> sqlx::Result<bool> {
    let sql =
        "insert into auth_subjects (id, kind, epoch) values ($1, 'user', 0) on conflict do nothing";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(user)
        .execute(c)
        .await?
        .rows_affected())
        == 1)
}

/// Holds the row until the transaction ends: whoever changes rights or status waits. `false` where there is none.
pub(crate) async fn lock<T>(conn: &mut Conn, subject: Id<T>) -> sqlx::Result<bool> {
    let sql = "update auth_subjects set epoch = epoch where id = $1";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(subject)
        .execute(c)
        .await?
        .rows_affected())
        == 1)
}

/// Makes every access token of the account stale.
pub(crate) async fn raise_epoch<T>(conn: &mut Conn, subject: Id<T>) -> sqlx::Result<()> {
    let sql = "update auth_subjects set epoch = epoch + 1 where id = $1";
    super::for_id(conn, sql, subject.uuid()).await
}

pub(crate) async fn delete<T>(conn: &mut Conn, subject: Id<T>) -> sqlx::Result<()> {
    let sql = "delete from auth_subjects where id = $1";
    super::for_id(conn, sql, subject.uuid()).await
}
