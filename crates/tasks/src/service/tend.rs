//! What keeps the queue in order: rescue, promotion, schedules, retention. Any number of processes may do it at once.

pub(crate) mod rescue;

use std::time::Duration;

use cgcg_core::{Engine, Trouble};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use super::Service;
use crate::Error;
use crate::TaskState;
use crate::schemas::number;
use crate::store::{key, queue, read, tend, worker};

/// Rows in one transaction: others wait for the writer meanwhile.
const BATCH: i64 = 500;
const SWEEP: Duration = Duration::from_secs(1);
const PURGE: Duration = Duration::from_secs(60);
/// An age at which no bucket can matter any more.
const RATES: Duration = Duration::from_secs(86_400);
/// Partitions are seen to in each of so many rounds of [`PURGE`].
const PARTITIONS: u64 = 60;
/// The longest wait for scheduled work: the clock of the database may step ahead.
const FAR: Duration = Duration::from_secs(60);
/// The pause where somebody else is about to make ready what is due.
const DUE: Duration = Duration::from_millis(10);
/// Partitions are made so many days ahead.
const DAYS_AHEAD: i32 = 8;
const DAY: i64 = 24 * 3_600 * 1_000_000;

impl Service {
    /// Takes leases away that are over, makes scheduled work ready, fires schedules, removes what was kept long enough; until `stop`.
    ///
    /// Some process must do it. Any number may: nothing is done twice. A [`crate::Worker`] does it by itself.
    pub async fn maintain_until(&self, stop: CancellationToken) {
        tokio::join!(
            self.watch_until(&stop),
            self.rescue_until(&stop),
            self.promote_until(&stop),
            self.fire_until(&stop),
            self.sweep_until(&stop),
            self.purge_until(&stop),
            self.measure_until(&stop),
        );
    }

    /// `false` where it is time to end.
    pub(crate) async fn pause(&self, time: Duration, stop: &CancellationToken) -> bool {
        tokio::select! {
            biased;
            () = stop.cancelled() => false,
            () = self.clock().sleep(time) => true,
        }
    }

    async fn promote_until(&self, stop: &CancellationToken) {
        let poll = self.settings().poll.get();
        loop {
            let pause = match self.promote().await {
                Ok(pause) => pause.min(FAR),
                Err(error) => {
                    warn!(%error, "cannot make scheduled tasks ready; trying again");
                    poll
                }
            };
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.bells().until_scheduled() => {}
                () = self.clock().sleep(pause) => {
                    counter!("cgcg_tasks_wakes_total", "by" => "timer").increment(1);
                }
            }
        }
    }

    /// Makes ready what is due; answers how long nothing else will be.
    pub(crate) async fn promote(&self) -> Result<Duration, Error> {
        loop {
            let mut conn = self.0.db.read().await?;
            let now = self.0.shared.now(&conn);
            let left = read::next_due(&mut conn, now).await?;
            let left = left.unwrap_or(Duration::MAX);
            if !left.is_zero() {
                return Ok(left);
            }
            drop(conn);
            let mut conn = self.0.db.begin().await?;
            let now = self.0.shared.now(&conn);
            let queues = tend::promote(&mut conn, now, BATCH).await?;
            let promoted = queues.len();
            self.0
                .shared
                .ring_ready(&mut conn, queues.iter().map(String::as_str));
            conn.commit().await?;
            if promoted == 0 {
                // Others were quicker, or hold the rows.
                return Ok(DUE);
            }
        }
    }

    async fn sweep_until(&self, stop: &CancellationToken) {
        if self.0.db.engine() == Engine::Sqlite {
            return;
        }
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.bells().until_ended() => {}
            }
            if let Err(error) = self.sweep().await {
                warn!(%error, "cannot sweep ended tasks; trying again");
            }
            if !self.pause(SWEEP, stop).await {
                return;
            }
        }
    }

    /// PostgreSQL: failed and cancelled tasks leave the hot table.
    pub(crate) async fn sweep(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.0.db.begin().await?;
            let swept = tend::sweep(&mut conn, 2 * BATCH).await?;
            conn.commit().await?;
            if swept < 2 * BATCH as u64 {
                return Ok(());
            }
        }
    }

    async fn purge_until(&self, stop: &CancellationToken) {
        for minute in 0_u64.. {
            let purged = match minute % PARTITIONS {
                0 => self.purge().await,
                _ => self.remove().await,
            };
            match purged {
                Ok(0) => {}
                Ok(rows) => debug!(rows, "ended tasks removed"),
                Err(error) => warn!(%error, "cannot remove ended tasks; trying again in a minute"),
            }
            self.turns("removing what has ended", PURGE);
            if !self.pause(PURGE, stop).await {
                return self.turns_no_more("removing what has ended");
            }
        }
    }

    /// Removes what was kept long enough; answers how many tasks that were. On PostgreSQL it sees to the partitions.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn purge(&self) -> Result<u64, Error> {
        if self.0.db.engine() == Engine::Postgres {
            self.partitions().await?;
        }
        self.remove().await
    }

    async fn remove(&self) -> Result<u64, Error> {
        self.stamp_queues().await?;
        let mut removed = 0;
        loop {
            let (rows, more) = self.remove_some().await?;
            removed += rows;
            if !more {
                return Ok(removed);
            }
        }
    }

    /// Answers how many tasks that were, and whether there may be more of anything.
    async fn remove_some(&self) -> Result<(u64, bool), Error> {
        let settings = self.settings();
        let keep = [
            (TaskState::Succeeded, settings.keep_succeeded),
            (TaskState::Cancelled, settings.keep_cancelled),
            (TaskState::Failed, settings.keep_failed),
        ];
        let full = BATCH.unsigned_abs();
        let (mut removed, mut more) = (0, false);
        let mut conn = self.0.db.begin().await?;
        let now = self.0.shared.now(&conn);
        for (state, time) in keep {
            let before = self.clock().now() - time.get();
            let rows = tend::purge(&mut conn, number(state), before, BATCH).await?;
            removed += rows;
            more |= rows == full;
        }
        more |= key::purge(&mut conn, now, BATCH).await? == full;
        queue::purge_rates(&mut conn, now, RATES).await?;
        worker::gone(&mut conn, now, "", 10 * settings.lease.get()).await?;
        conn.commit().await?;
        Ok((removed, more))
    }

    /// PostgreSQL: makes the days to come, drops those in which nothing is left to keep. Without the right to create
    /// tables, all goes into the default partition.
    async fn partitions(&self) -> Result<(), Error> {
        let (now, settings) = (self.clock().now(), self.settings());
        let failed = now - settings.keep_failed.get();
        let others = now
            - settings
                .keep_succeeded
                .get()
                .max(settings.keep_cancelled.get());
        let mut conn = self.0.db.begin().await?;
        match tend::add_partitions(&mut conn, now.micros().div_euclid(DAY), DAYS_AHEAD).await {
            Ok(_) => conn.commit().await?,
            Err(error) if Trouble::of(&error) == Trouble::Busy => {
                debug!(%error, "another process makes partitions, or uses the table; trying again");
            }
            Err(error) => {
                warn!(%error, "cannot make partitions for ended tasks; the default one takes them")
            }
        }
        let days = tend::days(&mut self.0.db.read().await?).await?;
        let last = failed.max(others).micros().div_euclid(DAY);
        for day in days.into_iter().take_while(|day| *day < last) {
            let mut conn = self.0.db.begin().await?;
            match tend::drop_partition(&mut conn, day, failed, others).await {
                Ok(_) => conn.commit().await?,
                Err(error) => debug!(%error, day, "a partition is in use; trying again"),
            }
        }
        Ok(())
    }
}
