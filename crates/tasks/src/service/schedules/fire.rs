use std::time::Duration;

use cgcg_core::{Conn, Timestamp};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::cron::Cron;
use crate::store::schedule::{self, ScheduleInDb};
use crate::{Error, Name, QueueName, Service, TaskCreate, TaskId};

/// Schedules looked at in one round.
const BATCH: i64 = 50;
/// Ticks that are counted after a long pause; beyond, it goes on from now.
const TICKS: usize = 10_000;
/// A tick that is looked at within so long was not missed.
const ON_TIME: Duration = Duration::from_secs(60);

/// What is due of one schedule.
struct Due {
    /// The newest of them that make a task, oldest first.
    ticks: Vec<Timestamp>,
    /// All that were passed.
    passed: u64,
    last: Timestamp,
    next: Timestamp,
}

impl Service {
    pub(in crate::service) async fn fire_until(&self, stop: &CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return,
                () = self.bells().until_tick() => {}
            }
            if let Err(error) = self.fire().await {
                warn!(%error, "cannot look at schedules; trying again");
                if !self.pause(self.settings().poll.get(), stop).await {
                    return;
                }
            }
            // It tells when the next one is due.
            self.bells().look();
        }
    }

    /// Makes the tasks of all ticks that have come. Any number of processes may do it: a tick is taken in the
    /// transaction that makes its task.
    pub(crate) async fn fire(&self) -> Result<(), Error> {
        loop {
            let mut conn = self.db().read().await?;
            let now = self.0.shared.now(&conn);
            let due = schedule::due(&mut conn, now, BATCH).await?;
            if due.is_empty() {
                return Ok(());
            }
            let time = crate::store::time(&mut conn, now).await?;
            drop(conn);
            let found = due.len();
            for row in due {
                let mut conn = self.db().begin().await?;
                match self.fire_one(&mut conn, &row, time).await {
                    Ok(true) => conn.commit().await?,
                    Ok(false) => {}
                    Err(error @ (Error::Database(_) | Error::Unknown(_))) => return Err(error),
                    // It must not stand in the way of the others.
                    Err(error) => {
                        drop(conn);
                        self.put_off(&row, time, &error).await?;
                    }
                }
            }
            if found < usize::try_from(BATCH).unwrap_or_default() {
                return Ok(());
            }
        }
    }

    /// `false`: another process has done it.
    async fn fire_one(
        &self,
        conn: &mut Conn,
        row: &ScheduleInDb,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let cron = match Cron::parse(&row.cron, &row.tz) {
            Ok(cron) => cron,
            // Stored by a program that knew more zones.
            Err(invalid) => {
                return Err(Error::Invalid {
                    field: "cron",
                    invalid,
                });
            }
        };
        let mut due = due(&cron, row, now);
        if row.overlap == 0 {
            // More than one at once would overlap each other.
            due.ticks = due.ticks.split_off(due.ticks.len().saturating_sub(1));
            if let Some(last) = row.last_id
                && schedule::busy(conn, last).await?
            {
                due.ticks.clear();
            }
        }
        let mut made = None;
        for tick in &due.ticks {
            made = Some(self.make(conn, row, *tick).await?);
        }
        if !schedule::fire(conn, row, due.next, due.last, made).await? {
            return Ok(false);
        }
        let fired = due.ticks.len() as u64;
        counter!("cgcg_tasks_schedule_fired_total").increment(fired);
        counter!("cgcg_tasks_schedule_skipped_total").increment(due.passed.saturating_sub(fired));
        Ok(true)
    }

    /// As for one that was stored by a program with other settings.
    async fn put_off(
        &self,
        row: &ScheduleInDb,
        now: Timestamp,
        error: &Error,
    ) -> Result<(), Error> {
        error!(schedule = row.name, %error, "a schedule cannot fire: mend or delete it; the next try is in an hour");
        let mut conn = self.db().begin().await?;
        let later = now + Duration::from_secs(3_600);
        if schedule::fire(&mut conn, row, later, row.next_at, None).await? {
            conn.commit().await?;
        }
        Ok(())
    }

    async fn make(
        &self,
        conn: &mut Conn,
        row: &ScheduleInDb,
        tick: Timestamp,
    ) -> Result<TaskId, Error> {
        self.create_tick(conn, made_by(row)?, tick).await
    }
}

/// A task as the schedule says. All of one schedule share a concurrency key.
pub(super) fn made_by(row: &ScheduleInDb) -> Result<TaskCreate, Error> {
    let invalid = |field| move |invalid| Error::Invalid { field, invalid };
    let mut key = format!("schedule:{}", row.name);
    key.truncate(128);
    Ok(TaskCreate {
        queue: Some(QueueName::parse(row.queue.clone()).map_err(invalid("queue"))?),
        priority: Some(row.priority),
        max_attempts: Some(row.max_attempts.unsigned_abs()),
        timeout: Some(row.timeout()),
        concurrency_key: Some(key),
        ..TaskCreate::new(
            Name::parse(row.task_name.clone()).map_err(invalid("name"))?,
            row.payload(),
        )
    })
}

/// The ticks from the row's next one until `now`.
fn due(cron: &Cron, row: &ScheduleInDb, now: Timestamp) -> Due {
    let ticks = std::iter::successors(Some(row.next_at), |tick| cron.after(*tick));
    let ticks: Vec<_> = ticks.take_while(|tick| *tick <= now).take(TICKS).collect();
    let last = ticks.last().copied().unwrap_or(row.next_at);
    let next = match ticks.len() {
        TICKS => cron.after(now),
        _ => cron.after(last),
    };
    let newest = usize::try_from(row.catch_up).unwrap_or_default();
    // One that comes on time is not made up: it is made.
    let newest = newest.max(usize::from(now.since(last) <= ON_TIME));
    Due {
        passed: ticks.len() as u64,
        ticks: ticks[ticks.len().saturating_sub(newest)..].to_vec(),
        last,
        next: next.unwrap_or(Timestamp::MAX),
    }
}
