use std::sync::Arc;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{SqlitePool, query_scalar};

use super::group::Group;
use super::thread::Thread;
use super::writer::Writer;
use super::{DbSettings, OpenError};

/// Many readers beside one writer: writers queue for it, not at the lock of the file.
pub(super) struct Pools {
    /// Connections that refuse to write.
    pub(super) readers: SqlitePool,
    pub(super) writer: Writer,
    /// Those who write together.
    pub(super) group: Arc<Group>,
}

/// Rows that wait for their reader before SQLite's thread has to: what a batch answers, at once. With fewer, the two
/// threads wake each other up again and again.
const ROWS: usize = 1_024;

/// The oldest release without the write-ahead-log reset bug, which could corrupt a database.
/// Source: <https://sqlite.org/wal.html#walresetbug>
const OLDEST: [u32; 3] = [3, 51, 3];

pub(super) async fn open(settings: &DbSettings, thread: &Arc<Thread>) -> Result<Pools, OpenError> {
    let url = settings.url.expose();
    if url.contains(":memory:") || url.contains("mode=memory") {
        return Err(OpenError::InMemory);
    }
    let options = url
        .parse::<SqliteConnectOptions>()?
        .create_if_missing(true)
        .synchronous(SqliteSynchronous::Full);
    let file = options.get_filename().to_owned();
    // SQLite gives each connection to a file without a name a database of its own.
    if file.as_os_str().is_empty() {
        return Err(OpenError::InMemory);
    }
    let pool = || {
        SqlitePoolOptions::new()
            .acquire_timeout(settings.wait.get())
            .test_before_acquire(false)
    };
    // The writer comes first: it creates the file and turns on the write-ahead log, for good.
    let writer = pool()
        .max_connections(1)
        // Two programs that turn it on at once do not wait for each other: one of them gets "database is locked".
        // Here, unlike among the options, a failure makes sqlx pause and try again.
        .after_connect(|connection, _| {
            let wal = sqlx::query("pragma journal_mode = wal").execute(connection);
            Box::pin(async { wal.await.map(drop) })
        })
        .connect_with(options.clone().row_buffer_size(ROWS))
        .await
        .map_err(|error| OpenError::of_file(error, file))?;
    let version: String = query_scalar("select sqlite_version()")
        .fetch_one(&writer)
        .await?;
    let parts: Vec<u32> = version
        .split('.')
        .filter_map(|part| part.parse().ok())
        .collect();
    if parts.as_slice() < OLDEST.as_slice() {
        return Err(OpenError::OldSqlite(version));
    }
    let readers = pool()
        .max_connections(settings.connections)
        .connect_with(options.pragma("query_only", "on"))
        .await?;
    Ok(Pools {
        readers,
        writer: Writer::new(writer, thread.clone()),
        group: Group::new(1),
    })
}

/// No file is touched until the first use, and that one fails.
pub(super) fn detached(thread: &Arc<Thread>) -> Pools {
    let options = || {
        SqliteConnectOptions::new()
            .filename("/nonexistent/cgcg.db")
            .create_if_missing(false)
    };
    let pool = || SqlitePoolOptions::new().connect_lazy_with(options());
    Pools {
        readers: pool(),
        writer: Writer::new(pool(), thread.clone()),
        group: Group::new(1),
    }
}
