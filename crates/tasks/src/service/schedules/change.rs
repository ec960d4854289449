//! What people do to schedules.

use cgcg_core::{Conn, Timestamp};

use super::fire::made_by;
use crate::cron::Cron;
use crate::service::Service;
use crate::store::schedule::{self, ScheduleInDb};
use crate::{Created, Error, Schedule, ScheduleCreate, ScheduleUpdate};

impl Service {
    /// Makes a schedule; `paused` for one that makes no tasks yet.
    ///
    /// # Errors
    /// [`Error::ScheduleTaken`]; those of [`Service::ensure_schedule`].
    pub async fn create_schedule(
        &self,
        name: &str,
        new: ScheduleCreate,
        paused: bool,
    ) -> Result<Schedule, Error> {
        let (row, cron) = self.check_schedule(name, new)?;
        let mut conn = self.db().begin().await?;
        if schedule::lock(&mut conn, name).await?.is_some() {
            return Err(Error::ScheduleTaken);
        }
        let row = ScheduleInDb { paused, ..row };
        let stored = self.store_schedule(&mut conn, row, &cron).await;
        match stored {
            Err(Error::Changed) => Err(Error::ScheduleTaken),
            stored => {
                let stored = stored?;
                conn.commit().await?;
                Ok(stored)
            }
        }
    }

    /// Changes a schedule; it goes on from now. `version` is the one that the caller has read; any where absent.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Changed`] where another version stands there; those of
    /// [`Service::ensure_schedule`].
    pub async fn update_schedule(
        &self,
        name: &str,
        change: ScheduleUpdate,
        version: Option<i64>,
    ) -> Result<Schedule, Error> {
        let mut conn = self.db().begin().await?;
        let before = schedule::lock(&mut conn, name).await?;
        let before = before.ok_or(Error::NotFound)?;
        if version.is_some_and(|version| version != before.version) {
            return Err(Error::Changed);
        }
        let paused = change.paused.unwrap_or(before.paused);
        let (stands, last) = (before.version, (before.last_at, before.last_id));
        let wanted = change.over(before.into());
        let wanted = wanted.map_err(|invalid| Error::Invalid {
            field: "task",
            invalid,
        })?;
        let (row, cron) = self.check_schedule(name, wanted)?;
        let row = ScheduleInDb {
            paused,
            version: stands,
            last_at: last.0,
            last_id: last.1,
            ..row
        };
        let stored = self.store_schedule(&mut conn, row, &cron).await?;
        conn.commit().await?;
        Ok(stored)
    }

    /// Makes a task of a schedule now, beside its ticks, whether it is paused or its last task still runs.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Database`].
    pub async fn run_schedule(&self, name: &str) -> Result<Created, Error> {
        let mut conn = self.db().read().await?;
        let row = schedule::find(&mut conn, name).await?;
        drop(conn);
        self.create(made_by(&row.ok_or(Error::NotFound)?)?).await
    }

    async fn store_schedule(
        &self,
        conn: &mut Conn,
        row: ScheduleInDb,
        cron: &Cron,
    ) -> Result<Schedule, Error> {
        let now = self.0.shared.now(conn);
        let time = crate::store::time(conn, now).await?;
        let row = ScheduleInDb {
            next_at: cron.after(time).unwrap_or(Timestamp::MAX),
            ..row
        };
        match schedule::put(conn, now, &row).await? {
            true => Ok(Schedule {
                version: row.version + 1,
                ..row.into()
            }),
            false => Err(Error::Changed),
        }
    }
}
