use cgcg_core::{Clock, Limit, PageRequest, TaskState};
use cgcg_tasks::{Error, Service, TaskFilter, TaskLine};

use crate::Failure;
use crate::cli::Pick;

impl Pick {
    /// Whether it says anything.
    pub(super) const fn is_all(&self) -> bool {
        self.state.is_none() && self.queue.is_none() && self.name.is_none() && self.since.is_none()
    }
}

/// Up to `limit` tasks that fit, the newest first, of those in a state that `may` take.
pub(super) async fn pick(
    tasks: &Service,
    clock: &dyn Clock,
    pick: Pick,
    limit: usize,
    may: impl Fn(TaskState) -> bool,
) -> Result<Vec<TaskLine>, Failure> {
    let since = pick.since.map(|since| clock.now() - since.get());
    let filter = TaskFilter {
        owner: None,
        state: pick.state.map(Into::into),
        queue: pick.queue,
        name: pick.name,
    };
    let (mut found, mut cursor) = (Vec::new(), None);
    loop {
        let page = page(tasks, &filter, cursor).await?;
        for task in page.items {
            if since.is_some_and(|since| task.created_at < since) {
                return Ok(found);
            }
            if found.len() == limit {
                return Ok(found);
            }
            if may(task.state) {
                found.push(task);
            }
        }
        cursor = page.next_cursor;
        if cursor.is_none() || found.len() == limit {
            return Ok(found);
        }
    }
}

async fn page(
    tasks: &Service,
    filter: &TaskFilter,
    cursor: Option<cgcg_core::Cursor>,
) -> Result<cgcg_core::Page<TaskLine>, Error> {
    // The largest page.
    let limit = Limit::new(200).unwrap_or_default();
    tasks.list(filter, PageRequest { limit, cursor }).await
}
