//! What the database carries along.

use std::path::PathBuf;

use cgcg_core::{Conn, Engine, on};

/// What grows where nobody cleans up, as metrics show it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Burden {
    Sqlite {
        /// The file; `None` where there is none.
        file: Option<PathBuf>,
    },
    Postgres {
        /// Rows of the hot table that vacuum has yet to remove.
        dead: i64,
        /// For how long the oldest transaction has kept vacuum from it. Of other roles it is seen with the right to
        /// (`pg_read_all_stats`).
        oldest_s: f64,
    },
}

pub(crate) async fn burden(conn: &mut Conn) -> sqlx::Result<Burden> {
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "select file from pragma_database_list where name = 'main'";
            let file: Option<String> =
                on!(conn, |c| sqlx::query_scalar(sql).fetch_optional(c).await?);
            let file = file.filter(|file| !file.is_empty()).map(PathBuf::from);
            Ok(Burden::Sqlite { file })
        }
        Engine::Postgres => {
            let sql = "select pg_stat_get_dead_tuples('task'::regclass) as dead,
                         (select coalesce(max(extract(epoch from clock_timestamp() - xact_start)), 0)::float8
                          from pg_stat_activity
                          where datname = current_database() and pid <> pg_backend_pid()
                            and backend_type = 'client backend'
                            and (backend_xmin is not null or backend_xid is not null)) as oldest_s";
            let (dead, oldest_s) = on!(conn, |c| sqlx::query_as(sql).fetch_one(c).await?);
            Ok(Burden::Postgres { dead, oldest_s })
        }
    }
}
