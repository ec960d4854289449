//! One SQL text, two databases.

mod array;
mod conn;
mod facts;
mod group;
mod lease;
mod listener;
mod on;
#[cfg(feature = "postgres")]
mod postgres;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod scratch;
mod settings;
#[cfg(feature = "sqlite")]
mod sqlite;
mod thread;
mod trouble;
#[cfg(feature = "sqlite")]
mod writer;

use std::fmt;
use std::sync::Arc;

use sqlx::migrate::{MigrateError, Migrator};

pub use array::Array;
pub use conn::Conn;
pub use facts::DbFacts;
pub use group::{Batch, GroupError, Joined};
pub use lease::Lease;
pub use listener::{Listener, Notice};
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use scratch::Scratch;
pub use settings::DbSettings;
pub use trouble::{OpenError, Trouble};

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use lease::Held;
pub(crate) use on::on_here;
use thread::Thread;

/// Which database a [`Db`] or [`Conn`] is. Both, in every build.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// SQLite.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl fmt::Display for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sqlite => "SQLite",
            Self::Postgres => "PostgreSQL",
        })
    }
}

/// An open database. A cheap clone; one per process, handed to every service.
#[derive(Clone)]
pub struct Db(Arc<Inner>);

struct Inner {
    pools: Pools,
    thread: Arc<Thread>,
}

enum Pools {
    #[cfg(feature = "sqlite")]
    Sqlite(sqlite::Pools),
    #[cfg(feature = "postgres")]
    Postgres(sqlx::PgPool),
}

impl Db {
    /// Opens `sqlite:<file>` (created where missing, its folder is not) or `postgres://…`, with default settings.
    ///
    /// # Errors
    /// [`OpenError`] says what to do. SQLite in memory is refused: readers and writer would see two databases.
    pub async fn connect(url: &str) -> Result<Self, OpenError> {
        Self::open(&DbSettings {
            url: url.to_owned().into(),
            ..DbSettings::default()
        })
        .await
    }

    /// Opens the database that `settings` name.
    ///
    /// # Errors
    /// As [`Db::connect`].
    pub async fn open(settings: &DbSettings) -> Result<Self, OpenError> {
        let thread = Arc::new(Thread::default());
        let pools = match settings.engine() {
            #[cfg(feature = "sqlite")]
            Some(Engine::Sqlite) => Pools::Sqlite(sqlite::open(settings, &thread).await?),
            #[cfg(feature = "postgres")]
            Some(Engine::Postgres) => Pools::Postgres(thread.host(postgres::open(settings)).await?),
            #[cfg(not(all(feature = "sqlite", feature = "postgres")))]
            Some(engine) => return Err(OpenError::NotCompiled(engine)),
            None => return Err(OpenError::Scheme),
        };
        Ok(Self::new(pools, thread))
    }

    /// A database that is never reached, for hosts that only print what they have. Each use of it fails.
    ///
    /// # Errors
    /// [`OpenError::NotCompiled`] without any driver.
    pub fn detached() -> Result<Self, OpenError> {
        #[cfg(any(feature = "sqlite", feature = "postgres"))]
        let thread = Arc::new(Thread::default());
        #[cfg(feature = "sqlite")]
        return Ok(Self::new(Pools::Sqlite(sqlite::detached(&thread)), thread));
        #[cfg(all(feature = "postgres", not(feature = "sqlite")))]
        return Ok(Self::new(Pools::Postgres(postgres::detached()), thread));
        #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
        return Err(OpenError::NotCompiled(Engine::Sqlite));
    }

    fn new(pools: Pools, thread: Arc<Thread>) -> Self {
        Self(Arc::new(Inner { pools, thread }))
    }

    /// Whether it answers now.
    pub async fn ping(&self) -> sqlx::Result<()> {
        let mut conn = self.read().await?;
        on_here!(&mut conn, |c| sqlx::query("select 1")
            .execute(c)
            .await
            .map(drop))
    }

    /// Which database it is.
    pub fn engine(&self) -> Engine {
        match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(_) => Engine::Sqlite,
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// A connection to read from. It may not write: SQLite refuses, and on PostgreSQL each statement would be kept alone.
    pub async fn read(&self) -> sqlx::Result<Conn> {
        let lease = match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(ref pools) => Lease::Sqlite(Held::Plain(pools.readers.acquire().await?)),
            #[cfg(feature = "postgres")]
            Pools::Postgres(ref pool) => {
                let connection = self.0.thread.host(pool.acquire()).await?;
                Lease::Postgres(Held::Plain(connection))
            }
        };
        Ok(Conn::new(lease, self.clone()))
    }

    /// A transaction to write in; on PostgreSQL at read committed. Dropped without [`Conn::commit`], it leaves
    /// nothing behind.
    ///
    /// SQLite has one writer: inside its transaction call only what takes the [`Conn`]. Anything else waits for the
    /// writer that you hold.
    pub async fn begin(&self) -> sqlx::Result<Conn> {
        let lease = match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(ref pools) => Lease::Sqlite(Held::Open(pools.writer.begin().await?)),
            #[cfg(feature = "postgres")]
            Pools::Postgres(ref pool) => {
                let transaction = self.0.thread.host(pool.begin()).await?;
                Lease::Postgres(Held::Open(transaction))
            }
        };
        Ok(Conn::new(lease, self.clone()))
    }

    /// Joins those who write together. On SQLite they are all that have joined this database, in the order of joining;
    /// on PostgreSQL, which has many writers, each kind for itself, with two transactions under way at most.
    ///
    /// `batch` must not hold this database: it would keep itself alive.
    pub fn join<B: Batch>(&self, batch: B) -> Joined<B> {
        let group = match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(ref pools) => pools.group.clone(),
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => group::Group::new(2),
        };
        Joined::new(self.clone(), group, batch)
    }

    /// The same database for a thread with a runtime of its own, from inside that runtime: no full pool and nobody
    /// who blocks the other threads stops it. On PostgreSQL that is one more connection, made at the first use; on
    /// SQLite nothing new, because there each connection, and whoever writes for a group, has its thread already.
    ///
    /// # Panics
    /// Outside of a runtime.
    pub fn apart(&self) -> Self {
        match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(_) => self.clone(),
            #[cfg(feature = "postgres")]
            Pools::Postgres(ref pool) => {
                let pools = Pools::Postgres(postgres::apart(pool));
                Self::new(pools, Arc::new(Thread::here()))
            }
        }
    }

    /// PostgreSQL: hears what is notified on `channels` from now on, on a connection of its own. `None` on SQLite:
    /// see [`Db::foreign_writes`].
    #[cfg_attr(
        not(feature = "postgres"),
        expect(unused_variables, reason = "only PostgreSQL has channels")
    )]
    pub async fn listen(&self, channels: &[&str]) -> sqlx::Result<Option<Listener>> {
        match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(_) => Ok(None),
            #[cfg(feature = "postgres")]
            Pools::Postgres(ref pool) => Ok(Some(Listener::open(pool, channels).await?)),
        }
    }

    /// SQLite: a number that changes when another process has written, and never by what is written here. It reads
    /// no table; it waits for whoever writes here. `None` on PostgreSQL: see [`Db::listen`].
    ///
    /// Source: <https://sqlite.org/pragma.html#pragma_data_version>
    pub async fn foreign_writes(&self) -> sqlx::Result<Option<i64>> {
        match self.0.pools {
            // Asked of the writer: what a connection commits itself leaves its number.
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(ref pools) => {
                let mut writer = pools.writer.lease().await?;
                let version = sqlx::query_scalar("pragma data_version");
                Ok(Some(version.fetch_one(&mut *writer).await?))
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres(_) => Ok(None),
        }
    }

    /// Ends all connections; waits for those that are in use.
    pub async fn close(&self) {
        match self.0.pools {
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(ref pools) => {
                pools.readers.close().await;
                pools.writer.close().await;
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres(ref pool) => pool.close().await,
        }
    }

    /// `run_direct` is hidden in sqlx 0.9. The public `run`, given a transaction, makes a future that no caller can
    /// spawn ("implementation of `Acquire` is not general enough").
    pub(crate) async fn migrate(&self, migrator: &Migrator) -> Result<(), MigrateError> {
        match self.0.pools {
            // sqlx's lock does nothing for SQLite.
            #[cfg(feature = "sqlite")]
            Pools::Sqlite(ref pools) => {
                let mut writer = pools.writer.lease().await?;
                let begun = sqlx::Connection::begin_with(&mut *writer, "begin immediate");
                let mut transaction = begun.await?;
                migrator.run_direct(None, &mut *transaction, false).await?;
                Ok(transaction.commit().await?)
            }
            #[cfg(feature = "postgres")]
            Pools::Postgres(ref pool) => postgres::migrate(pool, migrator).await,
        }
    }

    /// Runs `task` where no caller's runtime ends it.
    fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.thread.spawn(task);
    }

    fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl fmt::Debug for Db {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Db").field(&self.engine()).finish()
    }
}
