//! What people look at.

use std::collections::BTreeMap;

use super::Service;
use crate::store::{look, now};
use crate::{Error, Lease, QueueLoad, QueueName, TaskId, WorkerLine};

/// Processes that are shown, at most.
const WORKERS: i64 = 1_000;

impl Service {
    /// Up to 200 tasks that run, of one queue or of all, by id, of those after `after`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn list_leases(
        &self,
        queue: Option<&QueueName>,
        after: Option<TaskId>,
        limit: u8,
    ) -> Result<Vec<Lease>, Error> {
        let mut conn = self.0.db.read().await?;
        let after = after.unwrap_or(TaskId::from_uuid(uuid::Uuid::nil()));
        let queue = queue.map(QueueName::as_str);
        Ok(look::leases(&mut conn, queue, after, limit.into()).await?)
    }

    /// What each queue has to do and who takes from it, by name; one with neither is not there. It counts every task
    /// that waits or runs: ask now and then.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn queue_loads(&self) -> Result<BTreeMap<String, QueueLoad>, Error> {
        let mut loads: BTreeMap<String, QueueLoad> = BTreeMap::new();
        for count in look::counts(&mut self.0.db.read().await?).await? {
            let load = loads.entry(count.queue).or_default();
            match count.state {
                2 => load.ready = count.tasks.unsigned_abs(),
                _ => load.running = count.tasks.unsigned_abs(),
            }
            load.oldest_at = load.oldest_at.or(count.oldest_at);
        }
        let workers = self.list_workers().await?.into_iter();
        for worker in workers.filter(|worker| !worker.silent) {
            for queue in worker.queues.into_keys() {
                loads.entry(queue).or_default().workers += 1;
            }
        }
        Ok(loads)
    }

    /// The processes that work and gave a sign of life, the newest first, 1,000 at most. Workers that take their tasks
    /// by HTTP are not among them.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn list_workers(&self) -> Result<Vec<WorkerLine>, Error> {
        let mut conn = self.0.db.read().await?;
        let now = now(&**self.clock(), &conn);
        // Twice the time between two signs.
        let overdue = 4 * self.settings().lease.get();
        let rows = look::workers(&mut conn, now, overdue, WORKERS).await?;
        let line = |row: look::WorkerInDb| WorkerLine {
            id: row.id,
            host: row.host,
            pid: u32::try_from(row.pid).unwrap_or_default(),
            version: row.version,
            queues: row.queues.0,
            running: row.running.unsigned_abs(),
            started_at: row.started_at,
            seen_at: row.seen_at,
            silent: row.silent,
        };
        Ok(rows.into_iter().map(line).collect())
    }
}
