use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use metrics::histogram;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Running;
use super::ahead::{Counts, Pace, Place};
use super::backoff::{doubled, spread};
use crate::batch::ClaimItem;
use crate::gate::Taken;
use crate::store::claim::Claimed;

/// The longest pause while the database does not answer.
const LONGEST: Duration = Duration::from_secs(5);

/// A database that does not answer within this is asked again.
const ANSWER: Duration = Duration::from_secs(5);

/// Bells tell of work. This is for what goes wrong with them.
const NET: Duration = Duration::from_secs(60);

/// How often others are told at most that there is more than fits here.
const PASS_ON: Duration = Duration::from_millis(100);

/// How often it is looked for tasks that nobody knows; where that takes long and none are, for a twentieth of the time.
const LOOK: Duration = Duration::from_secs(5);

/// When it is time, for one queue.
#[derive(Default)]
struct Head {
    look_at: Duration,
    pass_on_at: Duration,
    pace: Pace,
}

/// What a claim brought.
struct Got {
    /// As many as were wanted.
    all: bool,
    limited: bool,
    again: Option<Duration>,
}

/// Where a claimed task runs.
struct Seat {
    free: Arc<Semaphore>,
    counts: Arc<Counts>,
    /// No more tasks shall begin.
    stop: CancellationToken,
    /// The queue, where its limits are felt here.
    limited: Option<Arc<str>>,
}

impl Running {
    /// Takes tasks of one queue for its free places, and starts them.
    pub(super) async fn claim_until(
        self: Arc<Self>,
        queue: Arc<str>,
        free: Arc<Semaphore>,
        stop: CancellationToken,
    ) {
        let mut bell = self.tasks.bells().listen(&queue);
        self.tasks.bells().offer(&queue, &free, self.names.clone());
        self.take_until(&queue, &free, &mut bell, &stop).await;
        self.tasks.bells().withdraw(&queue, &free);
        // Others were not told of what would have found a place here.
        self.tasks.pass_on(&queue);
    }

    async fn take_until(
        self: &Arc<Self>,
        queue: &Arc<str>,
        free: &Arc<Semaphore>,
        bell: &mut watch::Receiver<()>,
        stop: &CancellationToken,
    ) {
        let mut head = Head::default();
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
            let taken = self.take(queue, free, stop, &mut head.pace).await;
            let Some(taken) = taken.transpose() else {
                // Those that wait had the place first.
                self.pass_on(queue, &mut head);
                continue;
            };
            failures = if taken.is_ok() { 0 } else { failures + 1 };
            let pause = match taken {
                Ok(taken) if taken.all => {
                    self.pass_on(queue, &mut head);
                    continue;
                }
                Ok(taken) => {
                    self.look_at_head(queue, &mut head).await;
                    let usual = match taken.limited {
                        true => self.tasks.settings().poll.get(),
                        false => NET,
                    };
                    taken.again.map_or(usual, |again| again.min(usual))
                }
                Err(error) => {
                    warn!(%error, queue = &**queue, "cannot take tasks; trying again");
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

    /// All places are full, and more may be ready: others may have heard of nothing, because these were free.
    fn pass_on(&self, queue: &str, head: &mut Head) {
        let now = self.tasks.clock().monotonic();
        if now >= head.pass_on_at {
            head.pass_on_at = now + PASS_ON;
            self.tasks.pass_on(queue);
        }
    }

    /// What is ready and was not taken may be for nobody.
    async fn look_at_head(&self, queue: &str, head: &mut Head) {
        let now = self.tasks.clock().monotonic();
        if now < head.look_at {
            return;
        }
        let parked = self.tasks.park(queue, &self.names).await;
        // Nothing is taken meanwhile.
        let took = self.tasks.clock().monotonic().saturating_sub(now);
        head.look_at = match parked {
            Ok(0) => now + LOOK.max(20 * took),
            Ok(_) => now + LOOK,
            Err(error) => {
                debug!(%error, queue, "cannot look for tasks without a handler; trying again");
                now + LOOK
            }
        };
    }

    /// `None` where nobody was asked, because there is no place.
    async fn take(
        self: &Arc<Self>,
        queue: &Arc<str>,
        free: &Arc<Semaphore>,
        stop: &CancellationToken,
        pace: &mut Pace,
    ) -> Result<Option<Got>, sqlx::Error> {
        let settings = self.tasks.settings();
        let places = free.available_permits();
        let asked_at = self.tasks.clock().monotonic();
        let ahead = pace.ahead(asked_at, settings.prefetch);
        if places + ahead == 0 {
            return Ok(None);
        }
        let wanted = ClaimItem {
            queue: queue.clone(),
            limit: places,
            ahead,
            lease: settings.lease.get(),
            worker: self.id.clone(),
            names: self.names.clone(),
        };
        let claimed = tokio::time::timeout(ANSWER, self.tasks.claim(wanted)).await;
        // What is claimed all the same comes back when its lease ends.
        let Taken {
            tasks,
            limited,
            again,
        } = claimed.map_err(|_| sqlx::Error::PoolTimedOut)??;
        let took = self.tasks.clock().monotonic().saturating_sub(asked_at);
        histogram!("cgcg_tasks_claim_seconds").record(took);
        histogram!("cgcg_tasks_claim_size").record(tasks.len() as f64);
        let most = if limited { places } else { places + ahead };
        let got = Got {
            all: tasks.len() == most,
            limited,
            again,
        };
        for task in tasks {
            let seat = Seat {
                free: free.clone(),
                counts: pace.counts(),
                stop: stop.clone(),
                limited: limited.then(|| queue.clone()),
            };
            self.start(task, asked_at, seat);
        }
        Ok(Some(got))
    }

    fn start(self: &Arc<Self>, task: Claimed, asked_at: Duration, seat: Seat) {
        let (run, stop) = (self.clone(), self.stopping.child_token());
        let Some(signals) = self.leases.hold(task.fence(), asked_at, stop) else {
            warn!(task.id = %task.id, "the answer to a claim came too late; the task is left to its lease");
            return;
        };
        // Here, and not in the task to come: places are given in this order.
        let place = Place::ask(seat.free, &seat.counts);
        self.executions.spawn(async move {
            let place = run.turn(&task, asked_at, &signals, place, &seat.stop).await;
            let Some(place) = place else {
                return run.give_back(&task, &signals).await;
            };
            seat.counts.begun.fetch_add(1, Ordering::Relaxed);
            let late = run.tasks.clock().now().since(task.run_at);
            histogram!("cgcg_tasks_start_delay_seconds").record(late);
            run.clone().execute(task, asked_at, signals).await;
            drop(place);
            // Its end makes room that no place tells of.
            if let Some(queue) = seat.limited {
                run.tasks.bells().ready(&queue);
            }
        });
    }
}
