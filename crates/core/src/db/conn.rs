use std::fmt;

use super::{Db, Engine, Lease};

/// A leased connection or an open transaction, of either database.
///
/// Store functions take `&mut Conn` and cannot tell which of them they got. Only a service decides where a
/// transaction begins and ends. Dropped, it goes back to its pool; a transaction is rolled back.
pub struct Conn {
    lease: Lease,
    db: Db,
    after: Vec<Box<dyn FnOnce() + Send>>,
}

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
        let Self { lease, after, .. } = self;
        if after.is_empty() {
            return lease.commit().await;
        }
        // In a task of its own: a caller that leaves while the database commits would take along what has to follow
        // rows that are kept.
        let whole = tokio::spawn(async move {
            lease.commit().await?;
            after.into_iter().for_each(|then| then());
            Ok(())
        });
        whole.await.unwrap_or(Err(sqlx::Error::WorkerCrashed))
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
