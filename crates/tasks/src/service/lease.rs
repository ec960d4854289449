//! What a worker does. Those of other processes will come through the same.

use std::sync::Arc;

use cgcg_core::{Conn, Db, Engine, GroupError};

use super::Service;
use crate::Error;
use crate::batch::{BeatItem, ClaimItem};
use crate::gate::Taken;
use crate::store;
use crate::store::lease::{Beaten, Done, Moved, Settled};

impl Service {
    pub(crate) async fn claim(&self, wanted: ClaimItem) -> Result<Taken, GroupError> {
        self.0.claim.write(wanted).await
    }

    /// Signs of life of a worker that has no thread of its own for them.
    #[cfg(feature = "router")]
    pub(crate) async fn beat(&self, item: BeatItem) -> Result<Vec<Beaten>, GroupError> {
        self.0.beats.write(item).await
    }

    /// Something may be ready in `queue` that finds no place here.
    pub(crate) fn pass_on(&self, queue: &str) {
        self.0.shared.notes.ready(queue);
    }

    /// `false`: the lease did not hold.
    pub(crate) async fn complete(&self, done: Done) -> Result<bool, GroupError> {
        self.0.complete.write(done).await
    }

    /// `None`: the lease did not hold.
    pub(crate) async fn settle(&self, settled: Settled) -> Result<Option<Moved>, GroupError> {
        self.0.settle.write(settled).await
    }

    /// Ends a task in its handler's own transaction.
    pub(crate) async fn complete_in(&self, conn: &mut Conn, done: Done) -> Result<(), Error> {
        self.own(conn)?;
        let (now, id) = (self.0.shared.now(conn), done.fence.id);
        let keep = self.0.shared.keep_payload;
        if store::lease::complete(conn, now, keep, &[done])
            .await?
            .is_empty()
        {
            return Err(Error::LeaseLost);
        }
        self.0.shared.ring_succeeded(conn, vec![id]).await?;
        Ok(())
    }
}

/// Gives signs of life, from a thread that nobody else blocks.
pub(crate) struct Beater {
    tasks: Service,
    /// PostgreSQL: a connection that nobody else uses.
    own: Option<Db>,
}

impl Beater {
    /// Inside of the runtime that will use it.
    pub(crate) fn new(tasks: Service) -> Self {
        let own = match tasks.db().engine() {
            Engine::Sqlite => None,
            Engine::Postgres => Some(tasks.db().apart()),
        };
        Self { tasks, own }
    }

    pub(crate) async fn beat(&self, item: BeatItem) -> Result<Vec<Beaten>, sqlx::Error> {
        let Some(db) = &self.own else {
            return Ok(self.tasks.0.beats.write(item).await?);
        };
        let mut conn = db.begin().await?;
        let now = self.tasks.0.shared.now(&conn);
        let worker: Arc<str> = item.worker;
        let beaten = store::lease::beat(&mut conn, now, item.lease, &worker, &item.beats).await?;
        conn.commit().await?;
        Ok(beaten)
    }

    pub(crate) async fn close(self) {
        if let Some(db) = self.own {
            db.close().await;
        }
    }
}
