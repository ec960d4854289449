use std::collections::HashSet;
use std::time::Duration;

use cgcg_core::{Cursor, Page, PageRequest, Timestamp};
use tracing::debug;
use uuid::Uuid;

use super::Service;
use crate::schemas::text;
use crate::store::read;
use crate::wake::Watch;
use crate::{Error, Payload, TaskFilter, TaskId, TaskLine, TaskStatus};

/// When it is first looked for an end in another process, and how often then.
const FIRST: Duration = Duration::from_millis(50);
const LOOK: Duration = Duration::from_millis(250);
/// Tasks in one such statement.
const WAITED: usize = 1_000;
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

    /// Waits for the end of a task, at most so long; answers how it stands then. An end in another process is seen
    /// a quarter of a second later.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::TooManyWaiters`], [`Error::Database`].
    pub async fn wait(&self, id: TaskId, time: Duration) -> Result<TaskStatus, Error> {
        let (clock, ends) = (self.clock(), &self.0.shared.ends);
        let until = clock.monotonic() + time;
        let end = ends.listen(id).ok_or(Error::TooManyWaiters)?;
        if let Some(watch) = ends.watch() {
            tokio::spawn(self.clone().watch_ends(watch));
        }
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
                () = clock.sleep(left) => {}
            }
        }
    }

    /// Looks for the ends in other processes that somebody here waits for, until nobody does.
    async fn watch_ends(self, mut watch: Watch) {
        let mut pause = FIRST;
        loop {
            self.clock().sleep(pause).await;
            pause = LOOK;
            let waited = watch.waited();
            if waited.is_empty() {
                return;
            }
            for ids in waited.chunks(WAITED) {
                match self.open(ids).await {
                    Ok(open) => watch.ring(ids.iter().copied().filter(|id| !open.contains(id))),
                    Err(error) => debug!(%error, "cannot look for ends; trying again"),
                }
            }
        }
    }

    async fn open(&self, ids: &[TaskId]) -> sqlx::Result<HashSet<TaskId>> {
        read::open(&mut self.0.db.read().await?, ids).await
    }

    /// A page of the tasks that fit `filter`, newest first. It looks at 5,000 tasks and no more: a page may be short,
    /// or empty, while there is a next one. With an owner it looks at theirs alone.
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
            let floor = read::floor(&mut conn, before, LOOKS, filter).await?;
            page.next_cursor = floor.map(|id| Cursor {
                at: Timestamp::default(),
                id: id.uuid(),
            });
        }
        Ok(page.map(Into::into))
    }
}
