use std::sync::OnceLock;

use cgcg_core::{Clock, Db, Id, SystemClock, Task};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;

use crate::PostgresServer;

/// An empty PostgreSQL database. Dropped from its server with this value.
#[derive(Debug)]
pub struct Database {
    /// Open.
    pub db: Db,
    /// For another process, or for a second [`Db`].
    pub url: String,
    name: String,
}

/// A folder that goes away with its value.
pub fn folder() -> TempDir {
    tempfile::tempdir().expect("a writable folder for temporary files")
}

/// Opens `cgcg.db` in `folder`; empty the first time.
pub async fn sqlite(folder: &TempDir) -> Db {
    let url = format!("sqlite:{}/cgcg.db", folder.path().display());
    Db::connect(&url).await.expect("a SQLite database")
}

/// An empty PostgreSQL database; `None` where there is no server and no binaries to start one.
pub async fn postgres() -> Option<Database> {
    let name = create().await?;
    let url = with_database(server()?, &name);
    let db = Db::connect(&url)
        .await
        .expect("the database that was just created");
    Some(Database { db, url, name })
}

/// The address of an empty PostgreSQL database, for a program under test; `None` as with [`postgres`].
///
/// Blocks, inside or outside of a runtime. The database stays on the server named by `TEST_POSTGRES_URL`.
pub fn postgres_url() -> Option<String> {
    let name = block_on(create())?;
    Some(with_database(server()?, &name))
}

impl Drop for Database {
    fn drop(&mut self) {
        let sql = format!("drop database if exists {} with (force)", self.name);
        // Not asserted: a test that has failed must show its own reason.
        block_on(async { execute(server()?, sql).await.ok() });
    }
}

/// The name of a new database.
async fn create() -> Option<String> {
    let server = tokio::task::spawn_blocking(server)
        .await
        .expect("a server that starts, or none")?;
    let name = format!(
        "test_{}",
        Id::<Task>::new(SystemClock::default().now())
            .uuid()
            .simple()
    );
    // Nobody can be connected to template0, so creating from it is never refused.
    let created = execute(server, format!("create database {name} template template0")).await;
    created.expect("leave to create databases");
    Some(name)
}

/// A name cannot be bound. Ours are made of letters, digits and underscores.
async fn execute(server: &str, sql: String) -> sqlx::Result<()> {
    let options: PgConnectOptions = server.parse()?;
    let mut connection: PgConnection = options.connect().await?;
    sqlx::raw_sql(AssertSqlSafe(sql))
        .execute(&mut connection)
        .await?;
    connection.close().await
}

/// Where databases may be created. One per test program.
fn server() -> Option<&'static str> {
    static OWN: OnceLock<Option<PostgresServer>> = OnceLock::new();
    static URL: OnceLock<Option<String>> = OnceLock::new();
    #[expect(clippy::disallowed_methods, reason = "tests have no settings")]
    let given = || std::env::var("TEST_POSTGRES_URL").ok();
    let own = || {
        OWN.get_or_init(PostgresServer::start_fast)
            .as_ref()
            .map(|server| server.url("postgres"))
    };
    URL.get_or_init(|| given().or_else(own)).as_deref()
}

/// The same address with another database.
fn with_database(url: &str, name: &str) -> String {
    let (address, query) = url.split_at(url.find('?').unwrap_or(url.len()));
    let host = address.find("://").map_or(0, |at| at + 3);
    let end = address[host..]
        .find('/')
        .map_or(address.len(), |slash| host + slash);
    format!("{}/{name}{query}", &address[..end])
}

/// On a thread of its own, because a runtime cannot be entered twice.
fn block_on<T: Send>(work: impl Future<Output = T> + Send) -> T {
    std::thread::scope(|scope| scope.spawn(|| crate::run(work)).join()).expect("no panic")
}

#[cfg(test)]
mod tests {
    use super::with_database;

    #[test]
    fn an_address_gets_another_database_and_nothing_else() {
        let table = [
            (
                "postgres://a:b@localhost:5432/x",
                "postgres://a:b@localhost:5432/new",
            ),
            ("postgres://a@localhost", "postgres://a@localhost/new"),
            (
                "postgres://a@localhost/x?sslmode=disable",
                "postgres://a@localhost/new?sslmode=disable",
            ),
            (
                "postgres://a@localhost?host=/run",
                "postgres://a@localhost/new?host=/run",
            ),
        ];
        for (url, other) in table {
            assert_eq!(with_database(url, "new"), other, "{url}");
        }
    }
}
