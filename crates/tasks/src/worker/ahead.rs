use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tokio::sync::{AcquireError, OwnedSemaphorePermit, Semaphore};
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

/// Where a task runs, or will.
pub(super) enum Place {
    Free(OwnedSemaphorePermit),
    Waits(Waits),
}

/// Stands in the line for a place.
pub(super) struct Waits {
    turn: Pin<Box<dyn Future<Output = Result<OwnedSemaphorePermit, AcquireError>> + Send>>,
    counts: Arc<Counts>,
}

impl Place {
    /// A free place, or the last in the line.
    pub(super) fn ask(free: Arc<Semaphore>, counts: &Arc<Counts>) -> Self {
        let mut turn = Box::pin(free.acquire_owned());
        // Who has asked once is in the line.
        let asked = turn.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if let Poll::Ready(Ok(place)) = asked {
            return Self::Free(place);
        }
        counts.waiting.fetch_add(1, Ordering::Relaxed);
        Self::Waits(Waits {
            turn,
            counts: counts.clone(),
        })
    }
}

impl Drop for Waits {
    fn drop(&mut self) {
        self.counts.waiting.fetch_sub(1, Ordering::Relaxed);
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
        place: Place,
        stop: &CancellationToken,
    ) -> Option<OwnedSemaphorePermit> {
        let mut waits = match place {
            Place::Free(place) => return Some(place),
            Place::Waits(waits) => waits,
        };
        let clock = self.tasks.clock();
        let patience = self.tasks.settings().beat.get().min(task.timeout() / 4);
        let until = asked_at + patience;
        tokio::select! {
            biased;
            () = stop.cancelled() => None,
            () = self.release.cancelled() => None,
            () = signals.stop.cancelled() => None,
            place = &mut waits.turn => place.ok().filter(|_| self.leases.trusted(task.fence())),
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
        let none = Arc::new(Semaphore::new(0));
        let waits = [(); 120].map(|()| Place::ask(none.clone(), &pace.counts()));
        pace.counts.begun.fetch_add(500, Ordering::Relaxed);
        assert_eq!(pace.ahead(Duration::from_millis(1_030), 200), 80);
        drop(waits);
        pace.counts.begun.fetch_add(500, Ordering::Relaxed);
        assert_eq!(pace.ahead(Duration::from_millis(1_034), 200), 200);
    }
    #[tokio::test]
    async fn places_are_given_in_the_order_in_which_they_were_asked_for() {
        let (free, counts) = (Arc::new(Semaphore::new(1)), Arc::default());
        let asked = [(); 3].map(|()| Place::ask(free.clone(), &counts));
        let [
            Place::Free(first),
            Place::Waits(mut second),
            Place::Waits(mut third),
        ] = asked
        else {
            panic!("one place, and two who wait");
        };
        drop(first);
        let pending = tokio::select! {
            biased;
            _ = &mut third.turn => false,
            place = &mut second.turn => place.is_ok(),
        };
        assert!(pending, "the third would have come before the second");
    }
}
