use sqlx::query_scalar;

use crate::db::on_here as on;
use crate::{Conn, Db};

/// Facts about the whole database, one row each. Once set they stay, but for [`Meta::replace`].
pub struct Meta;

impl Meta {
    /// Stores `value` under `key` unless there is one; answers what stands there now.
    ///
    /// Several nodes may do so at once: all get the value of whoever came first.
    pub async fn claim(db: &Db, key: &str, value: &str) -> sqlx::Result<String> {
        if let Some(known) = Self::find(db, key).await? {
            return Ok(known);
        }
        let mut conn = db.begin().await?;
        let insert = "insert into _meta (key, value) values ($1, $2) on conflict (key) do nothing";
        on!(&mut conn, |c| {
            sqlx::query(insert).bind(key).bind(value).execute(c).await?;
        });
        let known = find(&mut conn, key).await?;
        conn.commit().await?;
        known.ok_or(sqlx::Error::RowNotFound)
    }

    /// Puts `to` where `from` stands, in the caller's transaction. Where something else stands, it stays.
    pub async fn replace(conn: &mut Conn, key: &str, from: &str, to: &str) -> sqlx::Result<()> {
        let sql = "update _meta set value = $3 where key = $1 and value = $2";
        on!(conn, |c| {
            sqlx::query(sql)
                .bind(key)
                .bind(from)
                .bind(to)
                .execute(c)
                .await?;
        });
        Ok(())
    }

    /// What stands under `key`.
    pub async fn find(db: &Db, key: &str) -> sqlx::Result<Option<String>> {
        find(&mut db.read().await?, key).await
    }
}

async fn find(conn: &mut Conn, key: &str) -> sqlx::Result<Option<String>> {
    let sql = "select value from _meta where key = $1";
    on!(conn, |c| query_scalar(sql)
        .bind(key)
        .fetch_optional(c)
        .await)
}
