use std::time::Duration;

use tracing::{info, warn};

use super::Running;

impl Running {
    /// Waits for what runs; then asks it to stop; then gives it back. No step waits for ever.
    pub(super) async fn end(&self) {
        self.executions.close();
        let grace = self.tasks.settings().shutdown_grace.get();
        if self.ended(grace * 3 / 5).await {
            return;
        }
        info!(
            tasks = self.leases.count(),
            "asking tasks to stop that are not done"
        );
        self.stopping.cancel();
        if self.ended(grace / 5).await {
            return;
        }
        info!(
            tasks = self.leases.count(),
            "giving tasks back that do not stop"
        );
        self.release.cancel();
        if !self.ended(grace / 5).await {
            warn!(
                tasks = self.leases.count(),
                "tasks could not be given back; their leases will end"
            );
        }
    }

    /// Whether all executions are over within `time`.
    async fn ended(&self, time: Duration) -> bool {
        tokio::select! {
            biased;
            () = self.executions.wait() => true,
            () = self.tasks.clock().sleep(time) => false,
        }
    }
}
