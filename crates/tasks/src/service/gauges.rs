use std::collections::{BTreeMap, BTreeSet};
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

    /// `known`: what had something ready before, by the names that metrics have.
    pub(crate) async fn measure(&self, known: &mut BTreeSet<String>) -> sqlx::Result<()> {
        let mut conn = self.db().read().await?;
        let now = self.0.shared.now(&conn);
        let depths = watch::depths(&mut conn, now).await?;
        drop(conn);
        let empty = std::mem::take(known).into_iter();
        let mut shown: BTreeMap<String, (i64, i64)> = empty.map(|name| (name, (0, 0))).collect();
        for depth in depths {
            let name = self.0.shared.labels.of(&depth.queue);
            let (ready, age_us) = shown.entry(name.clone()).or_default();
            *ready += depth.ready;
            *age_us = depth.age_us.max(*age_us);
            known.insert(name);
        }
        for (name, (ready, age_us)) in shown {
            let age = Duration::from_micros(u64::try_from(age_us).unwrap_or_default());
            gauge!("cgcg_tasks_ready", "queue" => name.clone()).set(ready as f64);
            gauge!("cgcg_tasks_oldest_ready_seconds", "queue" => name).set(age);
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
