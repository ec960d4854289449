use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPoolOptions};
use sqlx::{Connection, PgPool};

use super::{DbSettings, OpenError};

/// A connection that rested so long is asked for a sign of life before it is used: a restarted server or a firewall
/// may have ended it. Busy ones are not, which would double the round trips.
const RESTED: Duration = Duration::from_secs(2);

pub(super) async fn open(settings: &DbSettings) -> Result<PgPool, OpenError> {
    let options = settings
        .url
        .expose()
        .parse::<PgConnectOptions>()?
        .application_name("cgcg")
        // A statement that never ends, a lock that is never freed and a client that died inside its transaction end
        // on the server too.
        .options([
            ("statement_timeout", "60s"),
            ("lock_timeout", "10s"),
            ("idle_in_transaction_session_timeout", "60s"),
        ]);
    let pool = PgPoolOptions::new()
        .max_connections(settings.connections)
        .acquire_timeout(settings.wait.get())
        .test_before_acquire(false)
        .before_acquire(|connection, seen| {
            Box::pin(async move {
                // `false` closes it and takes another one.
                Ok(seen.idle_for < RESTED || connection.ping().await.is_ok())
            })
        })
        .connect_with(options.clone())
        .await;
    match pool {
        // The pool tells that its time is over, and not why.
        Err(sqlx::Error::PoolTimedOut) => {
            let cause =
                tokio::time::timeout(settings.wait.get(), PgConnection::connect_with(&options))
                    .await;
            Err(cause
                .ok()
                .and_then(Result::err)
                .unwrap_or(sqlx::Error::PoolTimedOut)
                .into())
        }
        pool => Ok(pool?),
    }
}

/// One connection of its own, made at the first use. Nothing runs beside it that would need the first pool's runtime.
pub(super) fn apart(pool: &PgPool) -> PgPool {
    PgPoolOptions::new()
        .max_connections(1)
        .acquire_timeout(pool.options().get_acquire_timeout())
        .max_lifetime(None)
        .idle_timeout(None)
        .connect_lazy_with(PgConnectOptions::clone(&pool.connect_options()))
}

/// Migrates on a connection of its own: where a step fails, sqlx keeps its lock, which is one of the session, and in
/// a pool that session would live on. No statement of a migration times out: an index takes as long as it takes, and
/// another node waits for it.
pub(super) async fn migrate(pool: &PgPool, migrator: &Migrator) -> Result<(), MigrateError> {
    let options = PgConnectOptions::clone(&pool.connect_options());
    let options = options.options([("statement_timeout", "0"), ("lock_timeout", "0")]);
    let mut connection = PgConnection::connect_with(&options).await?;
    let migrated = migrator.run_direct(None, &mut connection, false).await;
    connection.close().await?;
    migrated
}

/// No server is reached until the first use, and that one fails.
#[cfg(not(feature = "sqlite"))]
pub(super) fn detached() -> PgPool {
    PgPoolOptions::new().connect_lazy_with(PgConnectOptions::new().host("/nonexistent"))
}
