use std::time::Duration;

use super::Service;
use crate::schemas::QueueName;
use crate::store::queue::{self, QueueInDb};
use crate::{Error, Queue, QueueLimits, Rate, micros};

/// The largest number of a limit.
const MOST: u32 = 1_000_000;
/// Tasks stamped in one transaction.
const BATCH: i64 = 500;

impl Service {
    /// Sets what a queue may do, for all processes, from this commit on. `version` is the one that the caller has
    /// read, 0 for a queue without limits; without it, whatever stands there is replaced. Answers the new version.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::Changed`] where another version stands there; [`Error::Database`].
    pub async fn set_limits(
        &self,
        queue: &QueueName,
        limits: QueueLimits,
        version: Option<i64>,
    ) -> Result<i64, Error> {
        let row = checked(queue, limits)?;
        let mut conn = self.db().begin().await?;
        let before = queue::gate(&mut conn, queue.as_str()).await?;
        let stands = before.map_or(0, |before| before.version);
        if version.is_some_and(|version| version != stands) {
            return Err(Error::Changed);
        }
        let now = self.0.shared.now(&conn);
        let row = QueueInDb {
            version: stands,
            ..row
        };
        let version = queue::put(&mut conn, now, &row)
            .await?
            .ok_or(Error::Changed)?;
        self.0.shared.ring_ready(&mut conn, [queue.as_str()]);
        conn.commit().await?;
        if limits.max_per_key.is_some() || limits.key_rate.is_some() {
            self.stamp(queue.as_str()).await?;
        }
        Ok(version)
    }

    /// The limits of a queue; `None` where it never had any.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn find_queue(&self, queue: &QueueName) -> Result<Option<Queue>, Error> {
        let mut conn = self.db().read().await?;
        let row = queue::find(&mut conn, queue.as_str()).await?;
        Ok(row.map(Into::into))
    }

    /// Up to 200 queues that have limits, by name, of those after `after`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn list_queues(&self, after: &str) -> Result<Vec<Queue>, Error> {
        let mut conn = self.db().read().await?;
        let rows = queue::list(&mut conn, after, 200).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Gives waiting tasks without a key the one that they share. Later ones get it when they are stored.
    pub(crate) async fn stamp(&self, queue: &str) -> Result<(), Error> {
        loop {
            let mut conn = self.db().begin().await?;
            let stamped = queue::stamp(&mut conn, queue, BATCH).await?;
            if stamped > 0 {
                self.0.shared.ring_ready(&mut conn, [queue]);
            }
            conn.commit().await?;
            if stamped == 0 {
                return Ok(());
            }
        }
    }

    /// As [`Service::stamp`], for what was stored while the limit was set.
    pub(super) async fn stamp_queues(&self) -> Result<(), Error> {
        let keyed = queue::keyed(&mut self.db().read().await?).await?;
        for queue in keyed {
            self.stamp(&queue).await?;
        }
        Ok(())
    }
}

fn checked(queue: &QueueName, limits: QueueLimits) -> Result<QueueInDb, Error> {
    for (field, limit) in [
        ("max_running", limits.max_running),
        ("max_per_key", limits.max_per_key),
    ] {
        if limit.is_some_and(|limit| !(1..=MOST).contains(&limit)) {
            return Err(Error::invalid(
                field,
                "limit_invalid",
                "expected 1 to 1000000",
            ));
        }
    }
    let day = Duration::from_secs(86_400);
    for (field, rate) in [("rate", limits.rate), ("key_rate", limits.key_rate)] {
        let fits = |rate: Rate| {
            (1..=MOST).contains(&rate.n) && (Duration::from_millis(1)..=day).contains(&rate.per)
        };
        if rate.is_some_and(|rate| !fits(rate)) {
            return Err(Error::invalid(
                field,
                "limit_invalid",
                "expected 1 to 1000000 in 1 ms to 1 d",
            ));
        }
    }
    Ok(QueueInDb {
        name: queue.as_str().to_owned(),
        paused: limits.paused,
        max_running: limits.max_running.map(Into::into),
        max_per_key: limits.max_per_key.map(Into::into),
        rate_n: limits.rate.map(|rate| rate.n.into()),
        rate_us: limits.rate.map(|rate| micros(rate.per)),
        key_rate_n: limits.key_rate.map(|rate| rate.n.into()),
        key_rate_us: limits.key_rate.map(|rate| micros(rate.per)),
        rate_tat: 0,
        gated: limits != QueueLimits::default(),
        keyed: limits.max_per_key.is_some() || limits.key_rate.is_some(),
        version: 0,
    })
}

impl From<QueueInDb> for Queue {
    fn from(row: QueueInDb) -> Self {
        let number = |limit: i64| u32::try_from(limit).unwrap_or(u32::MAX);
        let rate = |n: Option<i64>, per: Option<i64>| {
            let rate = n.zip(per).map(|(n, per)| (number(n), per.unsigned_abs()));
            rate.map(|(n, per)| Rate {
                n,
                per: Duration::from_micros(per),
            })
        };
        Self {
            limits: QueueLimits {
                paused: row.paused,
                max_running: row.max_running.map(number),
                max_per_key: row.max_per_key.map(number),
                rate: rate(row.rate_n, row.rate_us),
                key_rate: rate(row.key_rate_n, row.key_rate_us),
            },
            name: row.name,
            version: row.version,
        }
    }
}
