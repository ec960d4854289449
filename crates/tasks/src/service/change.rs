use cgcg_core::{Conn, TaskState};

use super::Service;
use super::check::checked_priority;
use crate::schemas::{TaskInDb, state};
use crate::store::change::Changed;
use crate::store::{change, read};
use crate::{Cancelled, Error, TaskId, TaskStatus, TaskUpdate};

impl Service {
    /// Ends a task that waits. One that runs is asked to: its handler's token is cancelled, and whatever but success
    /// then ends it as cancelled.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Finished`], also where it succeeded first.
    pub async fn cancel(&self, id: TaskId) -> Result<Cancelled, Error> {
        let mut conn = self.0.db.begin().await?;
        let now = self.0.shared.now(&conn);
        let Some(changed) = change::cancel(&mut conn, now, id).await? else {
            return Err(match self.state_in(&mut conn, id).await? {
                Some(state) => Error::Finished(state),
                None => Error::NotFound,
            });
        };
        let running = state(changed.state) == TaskState::Running;
        if !running {
            let ended = std::iter::once((id, changed.state));
            self.0.shared.ring_ended(&mut conn, ended).await?;
        }
        conn.commit().await?;
        if running {
            self.0.shared.bells.ask(id);
            self.0.shared.notes.ask(id);
            return Ok(Cancelled::Asked);
        }
        Ok(Cancelled::AtOnce)
    }

    /// Runs a task again that failed or was cancelled, from its first attempt; or one that waits for its time, now.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Running`], [`Error::NotRetryable`]; [`Error::UniqueKeyTaken`] where another live
    /// task has its key.
    pub async fn retry(&self, id: TaskId) -> Result<(), Error> {
        let mut conn = self.0.db.begin().await?;
        let now = self.0.shared.now(&conn);
        let changed = match change::retry(&mut conn, now, id).await {
            Ok(Some(changed)) => changed,
            Ok(None) => {
                return match self.state_in(&mut conn, id).await? {
                    None => Err(Error::NotFound),
                    Some(TaskState::Running) => Err(Error::Running),
                    // It may be taken already: that is what was asked for.
                    Some(TaskState::Ready) => Ok(()),
                    Some(_) => Err(Error::NotRetryable),
                };
            }
            Err(error) => {
                drop(conn);
                return Err(self.key_taken(error, id).await?);
            }
        };
        self.rings(&mut conn, &changed);
        Ok(conn.commit().await?)
    }

    /// Changes when or before whom a task runs that waits.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Running`], [`Error::Finished`], [`Error::Invalid`].
    pub async fn reschedule(&self, id: TaskId, new: TaskUpdate) -> Result<TaskStatus, Error> {
        let run_at = self.checked_time("run_at", new.run_at)?;
        let priority = checked_priority(new.priority)?;
        let mut conn = self.0.db.begin().await?;
        let now = self.0.shared.now(&conn);
        let changed = change::reschedule(&mut conn, now, id, run_at, priority).await?;
        let row = read::find(&mut conn, id).await?.ok_or(Error::NotFound)?;
        let Some(changed) = changed else {
            return Err(match state(row.state) {
                TaskState::Running => Error::Running,
                state => Error::Finished(state),
            });
        };
        self.rings(&mut conn, &changed);
        conn.commit().await?;
        Ok(row.into())
    }

    /// Deletes a task that has ended.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Running`], [`Error::NotFinished`].
    pub async fn delete(&self, id: TaskId) -> Result<(), Error> {
        let mut conn = self.0.db.begin().await?;
        if change::delete(&mut conn, id).await? {
            return Ok(conn.commit().await?);
        }
        Err(match self.state_in(&mut conn, id).await? {
            None => Error::NotFound,
            Some(TaskState::Running) => Error::Running,
            Some(_) => Error::NotFinished,
        })
    }

    async fn state_in(&self, conn: &mut Conn, id: TaskId) -> Result<Option<TaskState>, Error> {
        let row = read::find(conn, id).await?;
        Ok(row.map(|row: TaskInDb| state(row.state)))
    }

    fn rings(&self, conn: &mut Conn, changed: &Changed) {
        match state(changed.state) {
            TaskState::Scheduled => self.0.shared.ring_scheduled(conn),
            _ => self.0.shared.ring_ready(conn, [changed.queue.as_str()]),
        }
    }

    /// What a failed retry means: on PostgreSQL its transaction is gone.
    async fn key_taken(&self, error: sqlx::Error, id: TaskId) -> Result<Error, Error> {
        let unique = error
            .as_database_error()
            .is_some_and(|error| error.is_unique_violation());
        if !unique {
            return Err(error.into());
        }
        let existing = read::key_holder(&mut self.0.db.read().await?, id).await?;
        Ok(Error::UniqueKeyTaken { existing })
    }
}
