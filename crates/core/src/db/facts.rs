use sqlx::AssertSqlSafe;

use super::{Db, Engine, on_here as on};
use crate::Timestamp;

/// What a database says of itself, for whoever looks after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DbFacts {
    /// Its release: `3.51.3`, `17.2`.
    pub version: String,
    /// Its own clock.
    pub now: Timestamp,
    /// Whether what it has acknowledged outlives a loss of power.
    pub durable: bool,
}

impl Db {
    /// Asks the database for its release, its clock and how it writes.
    ///
    /// # Errors
    /// It does not answer.
    pub async fn facts(&self) -> sqlx::Result<DbFacts> {
        let mut conn = self.read().await?;
        let sql = match conn.engine() {
            // Its writers are opened so.
            Engine::Sqlite => {
                "select sqlite_version(), cast(unixepoch('subsec') * 1000000 as integer), true"
            }
            Engine::Postgres => {
                "select current_setting('server_version'), (extract(epoch from clock_timestamp()) * 1000000)::bigint,
                        current_setting('fsync') = 'on' and current_setting('synchronous_commit') <> 'off'"
            }
        };
        let (version, micros, durable): (String, i64, bool) =
            on!(&mut conn, |c| sqlx::query_as(sql).fetch_one(c).await?);
        Ok(DbFacts {
            version,
            now: Timestamp::from_micros(micros),
            durable,
        })
    }

    /// Versions and checksums of what a ledger of migrations has; `None` where there is no such ledger.
    pub(crate) async fn applied(
        &self,
        ledger: &'static str,
    ) -> sqlx::Result<Option<Vec<(i64, Vec<u8>)>>> {
        let mut conn = self.read().await?;
        let sql = match conn.engine() {
            Engine::Sqlite => {
                "select count(*) from sqlite_master where type = 'table' and name = $1"
            }
            Engine::Postgres => {
                "select count(*) from pg_tables where schemaname = any (current_schemas(false)) and tablename = $1"
            }
        };
        let ledgers: i64 = on!(&mut conn, |c| sqlx::query_scalar(sql)
            .bind(ledger)
            .fetch_one(c)
            .await?);
        if ledgers == 0 {
            return Ok(None);
        }
        // A name cannot be bound. It is one of ours.
        let sql = format!("select version, checksum from {ledger} order by version");
        let rows = on!(&mut conn, |c| sqlx::query_as(AssertSqlSafe(sql))
            .fetch_all(c)
            .await?);
        Ok(Some(rows))
    }
}
