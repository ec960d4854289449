use std::collections::BTreeSet;
use std::time::Duration;

use metrics::gauge;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::Service;
use crate::store::burden::{Burden, burden};
use crate::store::watch;

/// How often ready work is counted at most.
const EVERY: Duration = Duration::from_secs(15);
/// The count reads every ready task: it takes a hundredth of the time at most.
const SHARE: u32 = 100;

impl Service {
    /// Shows how much is ready, and since when, and what the database carries along; until `stop`.
    pub(super) async fn measure_until(&self, stop: &CancellationToken) {
        let mut known = BTreeSet::new();
        loop {
            let start = self.clock().monotonic();
            if let Err(error) = self.measure(&mut known).await {
                debug!(%error, "cannot count what is ready; trying again");
            }
            let took = self.clock().monotonic().saturating_sub(start);
            if !self.pause(EVERY.max(took * SHARE), stop).await {
                return;
            }
        }
    }

    /// `known`: the queues that had something ready before.
    pub(crate) async fn measure(&self, known: &mut BTreeSet<String>) -> sqlx::Result<()> {
        let mut conn = self.db().read().await?;
        let now = self.0.shared.now(&conn);
        let depths = watch::depths(&mut conn, now).await?;
        drop(conn);
        let show = |queue: &str, ready: i64, age_us: i64| {
            gauge!("cgcg_tasks_ready", "queue" => queue.to_owned()).set(ready as f64);
            let age = Duration::from_micros(u64::try_from(age_us).unwrap_or_default());
            gauge!("cgcg_tasks_oldest_ready_seconds", "queue" => queue.to_owned()).set(age);
        };
        let empty = std::mem::take(known);
        for depth in depths {
            show(&depth.queue, depth.ready, depth.age_us);
            known.insert(depth.queue);
        }
        for queue in empty.difference(known) {
            show(queue, 0, 0);
        }
        self.weigh().await
    }
    /// Shows what the database carries along.
    async fn weigh(&self) -> sqlx::Result<()> {
        match burden(&mut self.db().read().await?).await? {
            Burden::Postgres { dead, oldest_s } => {
                gauge!("cgcg_tasks_dead_tuples").set(dead as f64);
                gauge!("cgcg_tasks_oldest_xmin_seconds").set(oldest_s);
            }
            Burden::Sqlite { file: None } => {}
            Burden::Sqlite { file: Some(file) } => {
                let mut log = file.into_os_string();
                log.push("-wal");
                // There is none before the first write.
                let log = tokio::fs::metadata(log).await;
                gauge!("cgcg_tasks_wal_bytes").set(log.map_or(0, |log| log.len()) as f64);
            }
        }
        Ok(())
    }
}
