use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::{Connection, Error, Executor, SqliteConnection, SqlitePool, query};
use tokio::sync::{Mutex, OwnedMappedMutexGuard, OwnedMutexGuard};

use super::thread::Thread;

type Slot = Option<SqliteConnection>;

/// SQLite's one writer: whoever writes waits here, in the order of coming. A cheap clone.
///
/// The pool only opens its connection. A pool that lends one out and takes it back each time asks it for a sign of
/// life and starts a task, which takes as long as a small transaction.
#[derive(Clone)]
pub(super) struct Writer {
    pool: SqlitePool,
    slot: Arc<Mutex<Slot>>,
    /// Whether the connection may be in a transaction. Only whoever holds the slot looks or writes.
    open: Arc<AtomicBool>,
    wait: Duration,
    thread: Arc<Thread>,
}

impl Writer {
    pub(super) fn new(pool: SqlitePool, thread: Arc<Thread>) -> Self {
        Self {
            wait: pool.options().get_acquire_timeout(),
            pool,
            slot: Arc::default(),
            open: Arc::default(),
            thread,
        }
    }

    /// The connection, outside of any transaction.
    ///
    /// # Errors
    /// [`Error::PoolTimedOut`] where others write for too long.
    pub(super) async fn lease(&self) -> sqlx::Result<Writing> {
        let slot = tokio::time::timeout(self.wait, self.slot.clone().lock_owned()).await;
        let mut slot = slot.map_err(|_| Error::PoolTimedOut)?;
        if self.pool.is_closed() {
            return Err(Error::PoolClosed);
        }
        if let (true, Some(left)) = (self.open.load(Ordering::Relaxed), &mut *slot) {
            if let Err(error) = run(left, "rollback").await
                && !nothing_to_undo(&error)
            {
                *slot = None;
            }
            self.open.store(false, Ordering::Relaxed);
        }
        if slot.is_none() {
            *slot = Some(self.pool.acquire().await?.detach());
        }
        let connection = OwnedMutexGuard::try_map(slot, Option::as_mut);
        Ok(Writing {
            connection: connection.map_err(|_| Error::WorkerCrashed)?,
            writer: self.clone(),
        })
    }

    /// A transaction that holds the lock of the file. Taken at the first write instead, that lock is refused where
    /// another process wrote after this transaction's first read.
    pub(super) async fn begin(&self) -> sqlx::Result<Writing> {
        let mut writing = self.lease().await?;
        self.open.store(true, Ordering::Relaxed);
        run(&mut writing, "begin immediate").await?;
        Ok(writing)
    }

    /// Waits for whoever writes, and lets nobody write from then on.
    pub(super) async fn close(&self) {
        self.pool.close().await;
        if let Some(connection) = self.slot.lock().await.take() {
            // What it wrote is committed; there is nobody to tell.
            let _ = connection.close().await;
        }
    }
}

/// By hand, because `execute` takes the silence of a connection whose thread is gone for success.
async fn run(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
    let done = connection.fetch_many(query(sql)).try_next().await?;
    done.map(drop).ok_or(Error::WorkerCrashed)
}

/// Whether a rollback failed because no transaction was open. After anything else the connection is not used again.
fn nothing_to_undo(error: &Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    code.as_deref() == Some("1")
}

/// The writer's connection, and its transaction if one was begun: dropped without [`Writing::commit`], that is rolled
/// back before anything else is written.
#[doc(hidden)]
pub struct Writing {
    connection: OwnedMappedMutexGuard<Slot, SqliteConnection>,
    writer: Writer,
}

impl Writing {
    pub(super) async fn commit(mut self) -> sqlx::Result<()> {
        run(&mut self, "commit").await?;
        self.writer.open.store(false, Ordering::Relaxed);
        Ok(())
    }
}

impl Drop for Writing {
    /// An open transaction keeps other processes from writing, so it does not wait for the next one to come by.
    fn drop(&mut self) {
        if self.writer.open.load(Ordering::Relaxed) {
            let writer = self.writer.clone();
            let thread = writer.thread.clone();
            // Whoever writes next tries again, and tells.
            thread.spawn(async move { drop(writer.lease().await) });
        }
    }
}

impl Deref for Writing {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Writing {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}
