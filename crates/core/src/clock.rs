use std::time::{Duration, Instant, SystemTime};

use crate::{BoxFuture, Timestamp};

/// Where all time comes from, so that a test can move it.
pub trait Clock: Send + Sync + 'static {
    /// Wall time. It may jump, also backwards.
    fn now(&self) -> Timestamp;

    /// Time since some start. It never jumps: durations are measured by it.
    fn monotonic(&self) -> Duration;

    /// Returns after `time`.
    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Some in tests: bound in SQL instead of the database's own clock.
    fn pinned(&self) -> Option<Timestamp> {
        None
    }
}

/// The clock of the machine.
#[derive(Debug, Clone)]
pub struct SystemClock(Instant);

#[expect(clippy::disallowed_methods, reason = "the one clock of the product")]
mod system {
    use super::{BoxFuture, Clock, Duration, Instant, SystemClock, SystemTime, Timestamp};

    impl Default for SystemClock {
        fn default() -> Self {
            Self(Instant::now())
        }
    }

    impl Clock for SystemClock {
        fn now(&self) -> Timestamp {
            SystemTime::now().into()
        }

        fn monotonic(&self) -> Duration {
            self.0.elapsed()
        }

        fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
            Box::pin(tokio::time::sleep(time))
        }
    }
}
