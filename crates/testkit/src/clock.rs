use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{BoxFuture, Clock, Timestamp};
use tokio::sync::watch;

/// 2030-01-01T00:00:00Z.
const START: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// A clock that stands still until a test moves it. Clones show the same time.
#[derive(Debug, Clone)]
pub struct TestClock(Arc<watch::Sender<Hands>>);

#[derive(Debug, Clone, Copy)]
struct Hands {
    wall: Timestamp,
    monotonic: Duration,
}

impl TestClock {
    /// Stands at `now`.
    pub fn at(now: Timestamp) -> Self {
        Self(Arc::new(watch::Sender::new(Hands {
            wall: now,
            monotonic: Duration::ZERO,
        })))
    }

    /// Lets `time` pass. Whoever sleeps no longer than that wakes up.
    pub fn advance(&self, time: Duration) {
        self.0.send_modify(|hands| {
            hands.wall = hands.wall + time;
            hands.monotonic += time;
        });
    }

    /// Sets the wall clock, as an administrator would, also backwards. No time passes: nobody wakes up.
    pub fn set(&self, now: Timestamp) {
        self.0.send_modify(|hands| hands.wall = now);
    }

    /// How many sleep now.
    pub fn sleepers(&self) -> usize {
        self.0.receiver_count()
    }

    /// Waits until `count` or more sleep: what is moved before a worker sleeps does not wake it.
    ///
    /// # Panics
    /// After 20 seconds of real time.
    pub async fn wait_for_sleepers(&self, count: usize) {
        crate::eventually("somebody sleeps", async || self.sleepers() >= count).await;
    }
}

impl Default for TestClock {
    /// Stands at 2030-01-01T00:00:00Z.
    fn default() -> Self {
        Self::at(START)
    }
}

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        self.0.borrow().wall
    }

    fn monotonic(&self) -> Duration {
        self.0.borrow().monotonic
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        let mut hands = self.0.subscribe();
        let until = self.monotonic() + time;
        // Kept by the sleeper: a clock that nobody can move any more must not wake it.
        let clock = self.clone();
        Box::pin(async move {
            let reached = hands
                .wait_for(|hands| hands.monotonic >= until)
                .await
                .is_ok();
            drop(clock);
            debug_assert!(reached, "the clock is kept");
        })
    }

    fn pinned(&self) -> Option<Timestamp> {
        Some(self.now())
    }
}
