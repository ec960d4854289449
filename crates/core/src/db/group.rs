//! Many callers, one transaction.
//!
//! A commit costs a write to the disk, whatever is in it. So callers hand in what they want written; while one
//! transaction reaches the disk, the next ones gather, and all go into one. A lone caller waits for nobody.

mod failure;
mod party;

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::{BoxFuture, Conn, Db, Engine, Trouble};
use failure::Failure;
use party::{Load, Party, Queue};

/// How one kind of write is done for many callers at once. See [`Db::join`].
pub trait Batch: Send + Sync + 'static {
    /// What one caller hands in.
    type Item: Send + Sync + 'static;
    /// What it gets back once that is committed.
    type Answer: Send + 'static;

    /// Writes all items, in their order, and answers one for each.
    ///
    /// An error undoes all of them, and what other kinds wrote beside them. Then all are written again, in smaller and
    /// smaller parts, so `items` may hold what was given before, and one that fails takes nobody along.
    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Self::Item],
    ) -> BoxFuture<'a, sqlx::Result<Vec<Self::Answer>>>;

    /// On PostgreSQL first: as [`Batch::write`] without a transaction, for a third of the round trips. `None`: nothing was
    /// written, because one statement is not enough.
    ///
    /// What writes is one statement, and nothing that can fail comes after it: it would be kept all the same.
    fn write_in_one<'a>(
        &'a self,
        _conn: &'a mut Conn,
        _items: &'a [Self::Item],
    ) -> BoxFuture<'a, sqlx::Result<Option<Vec<Self::Answer>>>> {
        Box::pin(async { Ok(None) })
    }

    /// How many bytes an item is, about: a transaction takes 4 MiB of one kind, and at least one item.
    fn size(&self, _item: &Self::Item) -> usize {
        0
    }
}

/// Why a write in a group has no answer.
#[derive(Debug, thiserror::Error)]
pub enum GroupError {
    /// Nothing was stored.
    #[error("nothing was stored: {0}")]
    NotStored(#[source] sqlx::Error),
    /// The commit, or the one statement that is its own, did not answer: perhaps it is stored.
    #[error("perhaps stored: {0}")]
    Unknown(#[source] sqlx::Error),
}

impl From<GroupError> for sqlx::Error {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::NotStored(error) | GroupError::Unknown(error) => error,
        }
    }
}

/// The right to write as one of a group. A cheap clone.
pub struct Joined<B: Batch> {
    queue: Arc<Queue<B>>,
    group: Arc<Group>,
    db: Db,
}

impl<B: Batch> Joined<B> {
    pub(super) fn new(db: Db, group: Arc<Group>, batch: B) -> Self {
        let queue = Arc::new(Queue::new(batch));
        let party: Arc<dyn Party> = queue.clone();
        group.join(&party);
        Self { queue, group, db }
    }

    /// Writes `item` together with those of other callers; durable when this returns. Who leaves before its turn
    /// has written nothing; who leaves later does not stop it.
    ///
    /// Not inside of an open transaction of SQLite: it waits for the writer that the caller holds.
    ///
    /// # Errors
    /// Those of the database, told apart by whether something may be stored.
    pub async fn write(&self, item: B::Item) -> Result<B::Answer, GroupError> {
        let (sender, answer) = oneshot::channel();
        self.queue.push(item, sender);
        Group::drive(&self.group, &self.db, false);
        // A runtime that ends, or a batch that panics, drops those who wait.
        let answer = answer.await;
        answer.unwrap_or(Err(GroupError::Unknown(sqlx::Error::WorkerCrashed)))
    }
}

impl<B: Batch> Clone for Joined<B> {
    fn clone(&self) -> Self {
        Self {
            queue: self.queue.clone(),
            group: self.group.clone(),
            db: self.db.clone(),
        }
    }
}

impl<B: Batch> fmt::Debug for Joined<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Joined").finish_non_exhaustive()
    }
}

/// Those who share transactions.
pub(super) struct Group {
    /// In the order of joining, which is the order of writing.
    parties: Mutex<Vec<Weak<dyn Party>>>,
    /// Transactions under way.
    drivers: Mutex<usize>,
    /// The most of them.
    most: usize,
}

impl Group {
    pub(super) fn new(most: usize) -> Arc<Self> {
        Arc::new(Self {
            parties: Mutex::default(),
            drivers: Mutex::new(0),
            most,
        })
    }

    fn join(&self, party: &Arc<dyn Party>) {
        let mut parties = lock(&self.parties);
        parties.retain(|party| party.strong_count() > 0);
        parties.push(Arc::downgrade(party));
    }

    fn parties(&self) -> Vec<Arc<dyn Party>> {
        let parties = lock(&self.parties);
        parties.iter().filter_map(Weak::upgrade).collect()
    }

    fn waits(&self) -> bool {
        self.parties().iter().any(|party| party.waits())
    }

    fn take(&self) -> Vec<Box<dyn Load>> {
        let parties = self.parties();
        parties.into_iter().filter_map(Party::take).collect()
    }

    /// Sees to it that somebody writes what waits. `again`: in the place of one that panicked.
    fn drive(group: &Arc<Self>, db: &Db, again: bool) {
        {
            let mut drivers = lock(&group.drivers);
            if *drivers == group.most {
                return;
            }
            *drivers += 1;
        }
        // Without the lock: a runtime that shuts down drops the task at once.
        let driver = Driver {
            group: group.clone(),
            db: db.clone(),
            done: false,
            again,
        };
        db.spawn(driver.run());
    }
}

/// Writes until nothing waits. A task of its own, so no caller that leaves drops an open transaction.
struct Driver {
    group: Arc<Group>,
    db: Db,
    done: bool,
    again: bool,
}

impl Driver {
    async fn run(mut self) {
        loop {
            while self.group.waits() {
                self.turn().await;
            }
            let mut drivers = lock(&self.group.drivers);
            // Whoever came since found a driver, and counts on it.
            if !self.group.waits() {
                *drivers -= 1;
                self.done = true;
                return;
            }
        }
    }

    async fn turn(&self) {
        let conn = match self.db.engine() {
            Engine::Sqlite => self.db.begin().await,
            Engine::Postgres => self.db.read().await,
        };
        // Only now: who came while this one waited for a connection goes along.
        let mut loads = self.group.take();
        if loads.is_empty() {
            return;
        }
        let failure = self.write(conn, &mut loads).await.err();
        for load in loads {
            load.answer(failure.as_ref());
        }
    }

    async fn write(
        &self,
        conn: sqlx::Result<Conn>,
        loads: &mut [Box<dyn Load>],
    ) -> Result<(), Failure> {
        let mut conn = conn.map_err(Failure::early)?;
        let items: usize = loads.iter().map(|load| load.items()).sum();
        let written = if conn.is_open() {
            together(&mut conn, loads).await
        } else {
            match in_one(&mut conn, loads).await {
                Ok(true) => return Ok(()),
                Ok(false) => {
                    conn = conn.open().await.map_err(Failure::early)?;
                    together(&mut conn, loads).await
                }
                Err(error) if is_undone(&error) => Err(error),
                // Its commit was part of it, and went unanswered.
                Err(error) => return Err(Failure::late(error)),
            }
        };
        if let Err(error) = written {
            let hopeless = matches!(Trouble::of(&error), Trouble::Full | Trouble::Gone);
            if items == 1 || hopeless {
                return Err(Failure::early(error));
            }
            tracing::debug!(%error, items, "a group failed; it is written in parts");
            conn = conn.restart().await.map_err(Failure::early)?;
            // The only kind was just tried as a whole.
            let whole = loads.len() > 1;
            for load in loads {
                let written = load.apart(&mut conn, whole).await;
                written.map_err(Failure::early)?;
            }
        }
        conn.commit_here().await.map_err(Failure::late)
    }
}

/// Whether a statement that is its own transaction has certainly stored nothing: the database refused it, or it was never
/// sent.
fn is_undone(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some() || matches!(error, sqlx::Error::Encode(_))
}

async fn in_one(conn: &mut Conn, loads: &mut [Box<dyn Load>]) -> sqlx::Result<bool> {
    match loads {
        [load] => load.write_in_one(conn).await,
        _ => Ok(false),
    }
}

async fn together(conn: &mut Conn, loads: &mut [Box<dyn Load>]) -> sqlx::Result<()> {
    for load in loads {
        load.write(conn).await?;
    }
    Ok(())
}

impl Drop for Driver {
    /// After a panic, or with its runtime: nobody else would come for those who wait.
    fn drop(&mut self) {
        if self.done {
            return;
        }
        *lock(&self.group.drivers) -= 1;
        // Whose batch panicked has heard so. Who came since was not written, and must not hear that it perhaps was.
        if std::thread::panicking() && !self.again && Handle::try_current().is_ok() {
            return Group::drive(&self.group, &self.db, true);
        }
        drop(self.group.take());
        for party in self.group.parties() {
            party.forsake();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
