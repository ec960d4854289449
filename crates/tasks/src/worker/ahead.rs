use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::Running;
use super::leases::Signals;
use crate::store::claim::Claimed;

/// What is taken ahead is for this time.
const TIME: Duration = Duration::from_millis(20);
/// A shorter time tells nothing of the pace.
const LEAST: Duration = Duration::from_millis(1);

/// How fast the tasks of a queue begin here: as many as in the last 20 ms are taken beyond the free places. Long tasks
/// take none with them, and short ones need not wait for a claim each.
#[derive(Default)]
pub(super) struct Pace {
    counts: Arc<Counts>,
    seen: u64,
    at: Duration,
}

/// What the executions tell.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) begun: AtomicU64,
    /// Taken ahead, and without a place so far.
    waiting: AtomicUsize,
}

impl Pace {
    pub(super) fn counts(&self) -> Arc<Counts> {
        self.counts.clone()
    }

    /// How many to take ahead, so that at most `most` wait; `now` is monotonic.
    pub(super) fn ahead(&mut self, now: Duration, most: u16) -> usize {
        let begun = self.counts.begun.load(Ordering::Relaxed);
        let (tasks, time) = (begun - self.seen, now.saturating_sub(self.at));
        (self.seen, self.at) = (begun, now);
        let ahead = u128::from(tasks) * TIME.as_nanos() / time.max(LEAST).as_nanos();
        let ahead = usize::try_from(ahead).unwrap_or(usize::MAX);
        let waiting = self.counts.waiting.load(Ordering::Relaxed);
        ahead.min(most.into()).saturating_sub(waiting)
    }
}

/// A task that waits for its place.
pub(super) struct Waits(Arc<Counts>);

impl Waits {
    pub(super) fn new(counts: &Arc<Counts>) -> Self {
        counts.waiting.fetch_add(1, Ordering::Relaxed);
        Self(counts.clone())
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Running {
    /// Waits for a place; `None` where the task must not wait for it any longer. Its time runs already, and others may
    /// have a place for it.
    pub(super) async fn turn(
        &self,
        task: &Claimed,
        asked_at: Duration,
        signals: &Signals,
        free: Arc<Semaphore>,
        stop: &CancellationToken,
    ) -> Option<OwnedSemaphorePermit> {
        let clock = self.tasks.clock();
        let patience = self.tasks.settings().beat.get().min(task.timeout() / 4);
        let until = asked_at + patience;
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            () = self.release.cancelled() => None,
            () = signals.stop.cancelled() => None,
            place = free.acquire_owned() => place.ok().filter(|_| self.leases.trusted(task.fence())),
            () = clock.sleep(until.saturating_sub(clock.monotonic())) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_are_taken_ahead_as_began_in_20_ms() {
        let mut pace = Pace::default();
        let mut after = |begun, at| {
            pace.counts.begun.fetch_add(begun, Ordering::Relaxed);
            pace.ahead(Duration::from_millis(at), 200)
        };
        let ahead = [
            after(0, 5),
            after(16, 21),
            after(3, 1_021),
            after(90, 1_026),
            after(5, 1_026),
        ];
        assert_eq!(ahead, [0, 20, 0, 200, 100]);
        let waits = [(); 120].map(|()| Waits::new(&pace.counts()));
        pace.counts.begun.fetch_add(500, Ordering::Relaxed);
        assert_eq!(pace.ahead(Duration::from_millis(1_030), 200), 80);
        drop(waits);
        pace.counts.begun.fetch_add(500, Ordering::Relaxed);
        assert_eq!(pace.ahead(Duration::from_millis(1_034), 200), 200);
    }
}
