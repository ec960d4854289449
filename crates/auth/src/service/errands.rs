//! Work behind an answer that must not tell, by its time, whether there was any.

use std::time::Duration;

use tokio::sync::Semaphore;
use tracing::error;

use super::Service;
use super::padding::next_step;
use crate::Error;

/// How many may be under way. Each holds a connection for some milliseconds.
const MOST: usize = 64;

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

    /// Waits for the end of the step that began `started` is in, whichever way was taken: see [`next_step`].
    pub(super) async fn even_out(&self, started: Duration) {
        let passed = self.0.clock.monotonic().saturating_sub(started);
        let rest = next_step(passed).saturating_sub(passed);
        if !rest.is_zero() {
            self.0.clock.sleep(rest).await;
        }
    }

    /// Waits for all that are under way.
    #[cfg(test)]
    pub(crate) async fn errands_end(&self) {
        let most = u32::try_from(MOST).unwrap();
        drop(self.0.errands.acquire_many(most).await.unwrap());
    }
}
