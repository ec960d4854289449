use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Running;
use super::backoff::{doubled, spread};
use crate::batch::ClaimItem;
use crate::gate::Taken;
use crate::store::claim::Claimed;

/// The longest pause while the database does not answer.
const LONGEST: Duration = Duration::from_secs(5);

/// A database that does not answer within this is asked again.
const ANSWER: Duration = Duration::from_secs(5);

impl Running {
    /// Takes tasks of one queue for its free places, and starts them.
    pub(super) async fn claim_until(
        self: Arc<Self>,
        queue: Arc<str>,
        free: Arc<Semaphore>,
        stop: CancellationToken,
    ) {
        let mut bell = self.tasks.bells().listen(&queue);
        let poll = self.tasks.settings().poll.get();
        let (mut failures, mut turn) = (0, 0_u64);
        loop {
            let place = tokio::select! {
                biased;
                () = stop.cancelled() => return,
                place = free.acquire() => place,
            };
            drop(place);
            // Heard from here on: what comes while we look is looked for again.
            bell.mark_unchanged();
            let places = free.available_permits();
            let pause = match self.take(&queue, &free, places).await {
                Ok(taken) if taken == places => continue,
                Ok(_) => {
                    failures = 0;
                    poll
                }
                Err(error) => {
                    failures += 1;
                    warn!(%error, queue = &*queue, "cannot take tasks; trying again");
                    doubled(Duration::from_millis(100), LONGEST, failures)
                }
            };
            turn += 1;
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                _ = bell.changed(), if failures == 0 => {}
                () = self.tasks.clock().sleep(spread(pause, (&self.id, turn))) => {}
            }
        }
    }

    /// Answers how many it took.
    async fn take(
        self: &Arc<Self>,
        queue: &Arc<str>,
        free: &Arc<Semaphore>,
        places: usize,
    ) -> Result<usize, sqlx::Error> {
        let asked_at = self.tasks.clock().monotonic();
        let wanted = ClaimItem {
            queue: queue.clone(),
            limit: places,
            lease: self.tasks.settings().lease.get(),
            worker: self.id.clone(),
            names: self.names.clone(),
        };
        let claimed = tokio::time::timeout(ANSWER, self.tasks.claim(wanted)).await;
        // What is claimed all the same comes back when its lease ends.
        let Taken { tasks, limited } = claimed.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let taken = tasks.len();
        for task in tasks {
            // Nobody else takes places, so there is one for each.
            if let Ok(place) = free.clone().try_acquire_owned() {
                let queue = limited.then(|| queue.clone());
                self.start(task, asked_at, place, queue);
            }
        }
        Ok(taken)
    }

    fn start(
        self: &Arc<Self>,
        task: Claimed,
        asked_at: Duration,
        place: tokio::sync::OwnedSemaphorePermit,
        limited: Option<Arc<str>>,
    ) {
        let (run, stop) = (self.clone(), self.stopping.child_token());
        let Some(signals) = self.leases.hold(task.id, task.fence(), asked_at, stop) else {
            warn!(task.id = %task.id, "the answer to a claim came too late; the task is left to its lease");
            return;
        };
        let ended = self.clone();
        tokio::spawn(async move {
            run.execute(task, asked_at, signals).await;
            drop(place);
            // Its end makes room that no place tells of.
            if let Some(queue) = limited {
                ended.tasks.bells().ready(&queue);
            }
        });
    }
}
