use std::time::Duration;

use tracing::{info, warn};

use super::{Running, Slots};

impl Running {
    /// Waits for what runs; then asks it to stop; then gives it back. No step waits for ever.
    pub(super) async fn end(&self, queues: &[Slots]) {
        let grace = self.tasks.settings().shutdown_grace.get();
        if self.ended(queues, grace * 3 / 5).await {
            return;
        }
        info!(
            tasks = self.leases.count(),
            "asking tasks to stop that are not done"
        );
        self.stopping.cancel();
        if self.ended(queues, grace / 5).await {
            return;
        }
        info!(
            tasks = self.leases.count(),
            "giving tasks back that do not stop"
        );
        self.release.cancel();
        if !self.ended(queues, grace / 5).await {
            warn!(
                tasks = self.leases.count(),
                "tasks could not be given back; their leases will end"
            );
        }
    }

    /// Whether all places are free within `time`.
    async fn ended(&self, queues: &[Slots], time: Duration) -> bool {
        let free = async {
            for slots in queues {
                // It is never closed.
                let _ = slots.free.acquire_many(slots.all.into()).await;
            }
        };
        tokio::select! {
            biased;
            () = free => true,
            () = self.tasks.clock().sleep(time) => false,
        }
    }
}
