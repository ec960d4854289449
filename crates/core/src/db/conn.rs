use std::fmt;

use tokio::sync::oneshot;

use super::{Db, Engine, Lease};

/// A leased connection or an open transaction, of either database.
///
/// Store functions take `&mut Conn` and cannot tell which of them they got. Only a service decides where a
/// transaction begins and ends. Dropped, it is free for others; a transaction is rolled back. On PostgreSQL that has to
/// happen inside of a runtime.
pub struct Conn {
    lease: Lease,
    db: Db,
    after: Vec<Box<dyn FnOnce() + Send>>,
}

/// How much was left for the commit when a place was saved.
pub(super) struct Mark(usize);

impl Conn {
    pub(super) fn new(lease: Lease, db: Db) -> Self {
        Self {
            lease,
            db,
            after: Vec::new(),
        }
    }

    /// Keeps what was written, then runs what [`Conn::on_commit`] left. A connection outside a transaction has
    /// nothing to keep.
    pub async fn commit(self) -> sqlx::Result<()> {
        let Self { lease, after, db } = self;
        if after.is_empty() {
            return lease.commit().await;
        }
        // In a task of its own: a caller that leaves while the database commits would take along what has to follow
        // rows that are kept.
        let (sender, whole) = oneshot::channel();
        db.clone().spawn(async move {
            let committed = lease.commit().await;
            if committed.is_ok() {
                after.into_iter().for_each(|then| then());
            }
            // Whoever left needs no answer.
            let _ = sender.send(committed);
            drop(db);
        });
        whole.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
    }

    /// As [`Conn::commit`], for a task that nobody drops.
    pub(super) async fn commit_here(self) -> sqlx::Result<()> {
        self.lease.commit().await?;
        self.after.into_iter().for_each(|then| then());
        Ok(())
    }

    /// A transaction on the same connection of PostgreSQL.
    pub(super) async fn open(mut self) -> sqlx::Result<Self> {
        self.lease = self.lease.open().await?;
        Ok(self)
    }

    /// Undoes all and begins anew, without a new place in the queue for the connection.
    pub(super) async fn restart(mut self) -> sqlx::Result<Self> {
        self.after.clear();
        if !self.is_open() {
            return self.open().await;
        }
        self.say("rollback").await?;
        let begin = match self.engine() {
            Engine::Sqlite => "begin immediate",
            Engine::Postgres => "begin",
        };
        self.say(begin).await?;
        Ok(self)
    }

    /// A place in the transaction to go back to.
    pub(super) async fn save(&mut self) -> sqlx::Result<Mark> {
        self.say("savepoint cgcg_group").await?;
        Ok(Mark(self.after.len()))
    }

    /// Gives up the newest place; what was written since stays in the transaction.
    pub(super) async fn release(&mut self) -> sqlx::Result<()> {
        self.say("release savepoint cgcg_group").await
    }

    /// Goes back to the newest place, and gives it up.
    pub(super) async fn undo(&mut self, mark: Mark) -> sqlx::Result<()> {
        self.after.truncate(mark.0);
        self.say("rollback to savepoint cgcg_group").await?;
        self.release().await
    }

    async fn say(&mut self, sql: &'static str) -> sqlx::Result<()> {
        super::on_here!(self, |c| sqlx::query(sql).execute(c).await.map(drop))
    }

    /// Leaves something for after the commit: wake-ups, dropped caches. A rollback drops it unrun. Without a
    /// transaction it runs at once, so call it after the statement.
    pub fn on_commit(&mut self, then: impl FnOnce() + Send + 'static) {
        if self.lease.is_open() {
            self.after.push(Box::new(then));
        } else {
            then();
        }
    }

    /// Whether it is a transaction.
    pub(super) fn is_open(&self) -> bool {
        self.lease.is_open()
    }

    /// Which database it is of: for the few statements where the dialects part.
    pub fn engine(&self) -> Engine {
        self.db.engine()
    }

    /// Whether it is of this very `db`.
    pub fn belongs_to(&self, db: &Db) -> bool {
        self.db.is(db)
    }

    /// For [`crate::on!`] alone.
    #[doc(hidden)]
    pub fn lease(&mut self) -> &mut Lease {
        &mut self.lease
    }
}

impl fmt::Debug for Conn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Conn")
            .field("engine", &self.engine())
            .finish_non_exhaustive()
    }
}
