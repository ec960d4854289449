use std::time::Duration;

use cgcg_core::Timestamp;
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::store::{self, tend};
use crate::{Error, Service};

const EVERY: Duration = Duration::from_secs(10);
const BATCH: i64 = 500;
/// Twice the longest lease that the settings allow: one that ends later was given before the clock went back.
const LONGEST: Duration = Duration::from_secs(2 * 600);

/// Watches the database's clock against one that never jumps.
///
/// Where it ran ahead by more than half a lease, leases look over that are not. Their holders get one lease of time to
/// say that they live.
#[derive(Default)]
pub(crate) struct Guard {
    /// What both clocks showed last.
    seen: Option<(Timestamp, Duration)>,
    /// No rescue before the monotonic clock shows this.
    until: Duration,
}

impl Guard {
    /// Whether leases may be taken away now. The first time it only looks.
    pub(crate) fn trusts(&mut self, wall: Timestamp, monotonic: Duration, lease: Duration) -> bool {
        let Some((before, then)) = self.seen.replace((wall, monotonic)) else {
            return false;
        };
        let ahead = wall.since(before).saturating_sub(monotonic - then);
        if ahead > lease / 2 {
            counter!("cgcg_tasks_clock_steps_total").increment(1);
            warn!(
                ahead_s = ahead.as_secs(),
                "the clock of the database stepped ahead; no rescue for one lease"
            );
            self.until = monotonic + lease;
        }
        monotonic >= self.until
    }
}

impl Service {
    pub(super) async fn rescue_until(&self, stop: &CancellationToken) {
        let mut guard = Guard::default();
        loop {
            if let Err(error) = self.rescue(&mut guard).await {
                warn!(%error, "cannot look for lost tasks; trying again");
            }
            if !self.pause(EVERY, stop).await {
                return;
            }
        }
    }

    /// Takes leases away that are over.
    pub(crate) async fn rescue(&self, guard: &mut Guard) -> Result<(), Error> {
        let lease = self.settings().lease.get();
        loop {
            let mut conn = self.db().begin().await?;
            let now = self.0.shared.now(&conn);
            let wall = store::time(&mut conn, now).await?;
            if !guard.trusts(wall, self.clock().monotonic(), lease) {
                return Ok(());
            }
            let rescued = tend::rescue(&mut conn, now, BATCH, LONGEST).await?;
            let ended = rescued.iter().filter(|task| task.state >= 4);
            self.0
                .shared
                .ring_ended(&mut conn, ended.map(|task| task.id).collect());
            if rescued.iter().any(|task| task.state == 1) {
                self.0.shared.ring_scheduled(&mut conn);
            }
            conn.commit().await?;
            for task in &rescued {
                counter!("cgcg_tasks_rescued_total").increment(1);
                warn!(
                    task.id = %task.id, task.name, task.queue, task.attempt, task.lease, task.state,
                    "a worker gave no sign of life; its task was taken away"
                );
            }
            if rescued.len() < usize::try_from(BATCH).unwrap_or_default() {
                return Ok(());
            }
        }
    }
}
