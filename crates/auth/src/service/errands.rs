//! Work behind an answer that must not tell, by its time, whether there was any.

use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::error;

use super::Service;
use crate::Error;

/// How many may be under way. Each holds a connection for some milliseconds.
const MOST: usize = 64;
/// Registrations end at a multiple of this, whichever way they took.
const STEP: Duration = Duration::from_millis(50);

/// The room for errands.
pub(super) fn room() -> std::sync::Arc<Semaphore> {
    std::sync::Arc::new(Semaphore::new(MOST))
}

impl Service {
    /// Starts `work` and returns at once. What goes wrong there, only the log learns.
    ///
    /// # Errors
    /// [`Error::Overloaded`] where too many are under way, whatever they find out.
    pub(super) fn errand(
        &self,
        what: &'static str,
        work: impl Future<Output = Result<(), Error>> + Send + 'static,
    ) -> Result<(), Error> {
        let place = self.0.errands.clone().try_acquire_owned();
        let place = place.map_err(|_| Error::Overloaded)?;
        tokio::spawn(async move {
            if let Err(error) = work.await {
                error!(error = &error as &dyn std::error::Error, "{what} failed");
            }
            drop(place);
        });
        Ok(())
    }

    /// Waits until a multiple of [`STEP`] has passed since `started`: what differs by less is not seen.
    pub(super) async fn even_out(&self, started: Duration) {
        let passed = self.0.clock.monotonic().saturating_sub(started).as_nanos();
        let step = STEP.as_nanos();
        let rest = passed.next_multiple_of(step) - passed;
        if let Ok(rest @ 1..) = u64::try_from(rest) {
            self.0.clock.sleep(Duration::from_nanos(rest)).await;
        }
    }

    /// Waits for all that are under way.
    #[cfg(test)]
    pub(crate) async fn errands_end(&self) {
        let most = u32::try_from(MOST).unwrap();
        drop(self.0.errands.acquire_many(most).await.unwrap());
    }
}
