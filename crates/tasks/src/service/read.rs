use std::time::Duration;

use cgcg_core::{Cursor, Page, PageRequest, Timestamp};
use uuid::Uuid;

use super::Service;
use crate::schemas::text;
use crate::store::read;
use crate::{Error, Payload, TaskFilter, TaskId, TaskLine, TaskStatus};

/// How long a waiter goes without looking: the end may come in another process.
const LOOK: Duration = Duration::from_millis(250);
/// Rows that one page looks at, however few of them fit its filter.
const LOOKS: i64 = 5_000;

impl Service {
    /// Where a task stands, also after its end; `None` where there is none, or no longer.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn get_task_status(&self, id: TaskId) -> Result<Option<TaskStatus>, Error> {
        let mut conn = self.0.db.read().await?;
        let row = read::find(&mut conn, id).await?;
        Ok(row.map(Into::into))
    }

    /// Id of the principal that made a task, empty for the program itself; `None` where there is no such task.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn find_owner(&self, id: TaskId) -> Result<Option<String>, Error> {
        Ok(read::owner(&mut self.0.db.read().await?, id).await?)
    }

    /// What a task was told; `None` where there is no such task, or its payload was not kept.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn find_payload(&self, id: TaskId) -> Result<Option<Payload>, Error> {
        let payload = read::payload(&mut self.0.db.read().await?, id).await?;
        Ok(payload.map(|bytes| Payload::stored(text(bytes))))
    }

    /// Waits for the end of a task, at most so long; answers how it stands then.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Database`].
    pub async fn wait(&self, id: TaskId, time: Duration) -> Result<TaskStatus, Error> {
        let clock = self.clock();
        let until = clock.monotonic() + time;
        let end = self.0.shared.ends.listen(id);
        loop {
            // Heard from before the look on: an end between the two is not missed.
            let mut heard = std::pin::pin!(end.heard());
            let status = self.get_task_status(id).await?.ok_or(Error::NotFound)?;
            let left = until.saturating_sub(clock.monotonic());
            if status.state.ended() || left.is_zero() {
                return Ok(status);
            }
            tokio::select! {
                () = &mut heard => {}
                () = clock.sleep(left.min(LOOK)) => {}
            }
        }
    }

    /// A page of the tasks that fit `filter`, newest first. It looks at 5,000 tasks and no more: a page may be short,
    /// or empty, while there is a next one.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn list(
        &self,
        filter: &TaskFilter,
        page: PageRequest,
    ) -> Result<Page<TaskLine>, Error> {
        let before = page.cursor.map_or(Uuid::max(), |cursor| cursor.id);
        let before = TaskId::from_uuid(before);
        let mut conn = self.0.db.read().await?;
        let rows = read::list(&mut conn, before, LOOKS, filter, page.limit.one_more()).await?;
        let mut page = Page::of(rows, page.limit, |row| Cursor {
            at: row.created_at,
            id: row.id.uuid(),
        });
        if page.next_cursor.is_none() {
            // Ids alone order this list.
            let floor = read::floor(&mut conn, before, LOOKS).await?;
            page.next_cursor = floor.map(|id| Cursor {
                at: Timestamp::default(),
                id: id.uuid(),
            });
        }
        Ok(page.map(Into::into))
    }
}
