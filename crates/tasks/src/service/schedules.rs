mod change;
mod fire;

use std::time::Duration;

use cgcg_core::Timestamp;

use super::Service;
use super::check::{checked_attempts, checked_priority, checked_timeout};
use crate::cron::Cron;
use crate::schemas::{Name, text};
use crate::store::schedule::{self, ScheduleInDb};
use crate::{Error, Overlap, Payload, Schedule, ScheduleCreate, micros};

/// How often a change is tried again that another process came before.
const TRIES: usize = 3;

impl Service {
    /// Sees to it that there is such a schedule: makes it, or changes what differs. For the start of a program; any
    /// number of processes may say the same. A changed one starts from now; whether it is paused stays as it is.
    ///
    /// # Errors
    /// [`Error::Invalid`]; [`Error::TooLarge`]; [`Error::Changed`] where others change it all the time;
    /// [`Error::Database`].
    pub async fn ensure_schedule(&self, name: &str, new: ScheduleCreate) -> Result<(), Error> {
        let (row, cron) = self.check_schedule(name, new)?;
        for _ in 0..TRIES {
            let mut conn = self.db().begin().await?;
            let before = schedule::lock(&mut conn, name).await?;
            if before.as_ref().is_some_and(|before| before.says(&row)) {
                return Ok(());
            }
            let now = self.0.shared.now(&conn);
            let time = crate::store::time(&mut conn, now).await?;
            let row = ScheduleInDb {
                next_at: cron.after(time).unwrap_or(Timestamp::MAX),
                paused: before.as_ref().is_some_and(|before| before.paused),
                version: before.map_or(0, |before| before.version),
                ..row.clone()
            };
            if schedule::put(&mut conn, now, &row).await? {
                self.0.shared.ring_schedules(&mut conn);
                return Ok(conn.commit().await?);
            }
        }
        Err(Error::Changed)
    }

    /// How a schedule stands; `None` where there is none.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn find_schedule(&self, name: &str) -> Result<Option<Schedule>, Error> {
        let mut conn = self.db().read().await?;
        Ok(schedule::find(&mut conn, name).await?.map(Into::into))
    }

    /// Up to 200 schedules, by name, of those after `after`.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn list_schedules(&self, after: &str) -> Result<Vec<Schedule>, Error> {
        let mut conn = self.db().read().await?;
        let rows = schedule::list(&mut conn, after, 200).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// Makes no more tasks, until [`Service::resume_schedule`].
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Database`].
    pub async fn pause_schedule(&self, name: &str) -> Result<(), Error> {
        self.change_schedule(name, |row, _| row.paused = true).await
    }

    /// Goes on from now: ticks of the pause are not made up.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Database`].
    pub async fn resume_schedule(&self, name: &str) -> Result<(), Error> {
        self.change_schedule(name, |row, now| {
            row.paused = false;
            if let Ok(cron) = Cron::parse(&row.cron, &row.tz) {
                row.next_at = cron.after(now).unwrap_or(Timestamp::MAX);
            }
        })
        .await
    }

    /// Removes a schedule. The tasks that it made stay.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Database`].
    pub async fn remove_schedule(&self, name: &str) -> Result<(), Error> {
        let mut conn = self.db().begin().await?;
        match schedule::delete(&mut conn, name).await? {
            true => Ok(conn.commit().await?),
            false => Err(Error::NotFound),
        }
    }

    async fn change_schedule(
        &self,
        name: &str,
        change: impl FnOnce(&mut ScheduleInDb, Timestamp) + Send,
    ) -> Result<(), Error> {
        let mut conn = self.db().begin().await?;
        let mut row = schedule::lock(&mut conn, name)
            .await?
            .ok_or(Error::NotFound)?;
        let now = self.0.shared.now(&conn);
        change(&mut row, crate::store::time(&mut conn, now).await?);
        schedule::put(&mut conn, now, &row).await?;
        self.0.shared.ring_schedules(&mut conn);
        Ok(conn.commit().await?)
    }

    fn check_schedule(
        &self,
        name: &str,
        new: ScheduleCreate,
    ) -> Result<(ScheduleInDb, Cron), Error> {
        let invalid = |field| move |invalid| Error::Invalid { field, invalid };
        let name: Name = name.parse().map_err(invalid("name"))?;
        let cron = Cron::parse(&new.cron, &new.time_zone).map_err(|invalid| Error::Invalid {
            field: match invalid.code {
                "time_zone_unknown" => "time_zone",
                _ => "cron",
            },
            invalid,
        })?;
        let limit = self.settings().payload_limit.bytes();
        if new.payload.as_str().len() > limit {
            return Err(Error::TooLarge { limit });
        }
        if new.catch_up > 100 {
            return Err(Error::invalid(
                "catch_up",
                "out_of_range",
                "expected 0 to 100",
            ));
        }
        let row = ScheduleInDb {
            name: name.as_str().to_owned(),
            queue: new.queue.unwrap_or_default().as_str().to_owned(),
            task_name: new.task.as_str().to_owned(),
            cron: new.cron,
            tz: cron.zone().map_or(new.time_zone, str::to_owned),
            payload: new.payload.into_string().into_bytes(),
            priority: checked_priority(new.priority)?.unwrap_or(100),
            max_attempts: checked_attempts(self.settings(), new.max_attempts)?,
            timeout_us: micros(checked_timeout(self.settings(), new.timeout)?),
            overlap: i16::from(new.overlap == Overlap::Allow),
            catch_up: new.catch_up.into(),
            paused: false,
            next_at: Timestamp::MAX,
            last_at: None,
            last_id: None,
            version: 0,
        };
        Ok((row, cron))
    }
}

impl ScheduleInDb {
    /// Whether it is what `wanted` says, whatever it has done since.
    fn says(&self, wanted: &Self) -> bool {
        let said = |row: &Self| {
            let of_task = (row.priority, row.max_attempts, row.timeout_us);
            let text = (
                row.queue.clone(),
                row.task_name.clone(),
                row.cron.clone(),
                row.tz.clone(),
            );
            (
                text,
                row.payload.clone(),
                of_task,
                row.overlap,
                row.catch_up,
            )
        };
        said(self) == said(wanted)
    }

    fn payload(&self) -> Payload {
        Payload::stored(text(self.payload.clone()))
    }

    fn timeout(&self) -> Duration {
        Duration::from_micros(self.timeout_us.unsigned_abs())
    }
}

impl From<ScheduleInDb> for Schedule {
    fn from(row: ScheduleInDb) -> Self {
        Self {
            payload: row.payload(),
            timeout: row.timeout(),
            name: row.name,
            cron: row.cron,
            time_zone: row.tz,
            task: row.task_name,
            queue: row.queue,
            priority: row.priority,
            max_attempts: row.max_attempts.unsigned_abs(),
            overlap: match row.overlap {
                0 => Overlap::Skip,
                _ => Overlap::Allow,
            },
            catch_up: u8::try_from(row.catch_up).unwrap_or(u8::MAX),
            paused: row.paused,
            next_at: row.next_at,
            last_at: row.last_at,
            last_task: row.last_id,
            version: row.version,
        }
    }
}
