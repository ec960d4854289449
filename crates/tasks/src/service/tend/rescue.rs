use std::time::Duration;

use cgcg_core::Timestamp;
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::store::tend;
use crate::worker::backoff::spread;
use crate::{Error, Service};

const BATCH: i64 = 500;
/// Twice the longest lease that the settings allow: one that ends later was given before the clock went back.
const LONGEST: Duration = Duration::from_secs(2 * 600);

/// Watches the database's clock against one that never jumps.
///
/// Where it stepped by more than half a lease, leases look over that are not, or longer than any may be. Their holders
/// get one lease of time to say that they live.
#[derive(Default)]
pub(crate) struct Guard {
    /// What both clocks showed last.
    seen: Option<(Timestamp, Duration)>,
    /// No rescue before the monotonic clock shows this.
    until: Duration,
    /// How far the database's clock stepped ahead, and what it showed before; told once.
    step: Option<(Timestamp, Duration)>,
}

impl Guard {
    /// Whether leases may be taken away now. The first time it only looks.
    pub(crate) fn trusts(&mut self, wall: Timestamp, monotonic: Duration, lease: Duration) -> bool {
        let Some((before, then)) = self.seen.replace((wall, monotonic)) else {
            return false;
        };
        let expected = before + (monotonic - then);
        let (ahead, behind) = (wall.since(expected), expected.since(wall));
        if ahead.max(behind) > lease / 2 {
            counter!("cgcg_tasks_clock_steps_total").increment(1);
            warn!(
                ahead_s = ahead.as_secs(),
                behind_s = behind.as_secs(),
                "the clock of the database stepped; no rescue for one lease"
            );
            self.until = monotonic + lease;
            self.step = (!ahead.is_zero()).then_some((before, ahead));
        }
        monotonic >= self.until
    }
}

impl Service {
    pub(super) async fn rescue_until(&self, stop: &CancellationToken) {
        let (mut guard, mut turn) = (Guard::default(), 0_u64);
        loop {
            if let Err(error) = self.rescue(&mut guard).await {
                warn!(%error, "cannot look for lost tasks; trying again");
            }
            turn += 1;
            let every = spread(self.settings().lease.get() / 3, turn);
            self.turns("rescue", every);
            if !self.pause(every, stop).await {
                return self.turns_no_more("rescue");
            }
        }
    }

    /// Takes leases away that are over.
    pub(crate) async fn rescue(&self, guard: &mut Guard) -> Result<(), Error> {
        let lease = self.settings().lease.get();
        let pulse = {
            let mut conn = self.db().read().await?;
            let now = self.0.shared.now(&conn);
            tend::pulse(&mut conn, now).await?
        };
        let trusts = guard.trusts(pulse.now, self.clock().monotonic(), lease);
        if let Some((before, ahead)) = guard.step {
            let mut conn = self.db().begin().await?;
            tend::put_off_deadlines(&mut conn, before, ahead).await?;
            conn.commit().await?;
            guard.step = None;
        }
        if trusts && pulse.running {
            self.take_away().await?;
        }
        // After it, and without an end to it: counting may take long.
        if pulse.grown
            && let Err(error) = self.count_anew().await
        {
            debug!(%error, "cannot count the table of tasks; trying again");
        }
        Ok(())
    }

    /// PostgreSQL: autovacuum comes within a minute; until then each look at one task would read all.
    async fn count_anew(&self) -> Result<(), Error> {
        let mut conn = self.db().begin().await?;
        tend::count_anew(&mut conn).await?;
        Ok(conn.commit().await?)
    }

    async fn take_away(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.db().begin().await?;
            let now = self.0.shared.now(&conn);
            let rescued = tend::rescue(&mut conn, now, BATCH, LONGEST).await?;
            let ended = rescued.iter().map(|task| (task.id, task.state));
            self.0.shared.ring_ended(&mut conn, ended).await?;
            if rescued.iter().any(|task| task.state == 1) {
                self.0.shared.ring_scheduled(&mut conn);
            }
            conn.commit().await?;
            for task in &rescued {
                counter!("cgcg_tasks_rescued_total", "why" => task.why.clone()).increment(1);
                warn!(
                    task.id = %task.id, task.name, task.queue, task.attempt, task.lease, task.state, task.why,
                    "a worker gave no sign of life; its task was taken away"
                );
            }
            if rescued.len() < usize::try_from(BATCH).unwrap_or_default() {
                return Ok(());
            }
        }
    }
}
