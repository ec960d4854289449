use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cgcg_core::{Clock, Db, Engine};
use tokio::runtime::Handle;
use tracing::debug;

use super::lock;
use crate::TaskId;
use crate::store::notify::notify;

/// Notices of queues with work; of scheduled work where the queue is empty.
pub(crate) const READY: &str = "cgcg_tasks";
/// Notices of running tasks that are asked to stop.
pub(crate) const ASKED: &str = "cgcg_tasks_asked";

/// Notices of one process go out together, so far apart at least: they pass a lock that all who notify share.
const GAP: Duration = Duration::from_millis(2);

/// Notices for other processes, on PostgreSQL. They may be lost, with this process or the database: then the others
/// find out by looking.
pub(crate) struct Notes {
    /// `None` where nobody could hear.
    db: Option<Db>,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: BTreeSet<(&'static str, String)>,
    /// Whether somebody sends.
    busy: bool,
}

impl Notes {
    pub(crate) fn new(db: &Db, clock: Arc<dyn Clock>, notify: bool) -> Self {
        Self {
            db: (notify && db.engine() == Engine::Postgres).then(|| db.clone()),
            clock,
            state: Mutex::default(),
        }
    }

    /// Something is ready in `queue` that nobody here takes.
    pub(crate) fn ready(self: &Arc<Self>, queue: &str) {
        self.tell(READY, || queue.to_owned());
    }

    /// Something waits for its time.
    pub(crate) fn scheduled(self: &Arc<Self>) {
        self.tell(READY, String::new);
    }

    /// A running task was asked to stop.
    pub(crate) fn ask(self: &Arc<Self>, id: TaskId) {
        self.tell(ASKED, || id.to_string());
    }

    fn tell(self: &Arc<Self>, channel: &'static str, payload: impl FnOnce() -> String) {
        let (Some(_), Ok(runtime)) = (&self.db, Handle::try_current()) else {
            return;
        };
        {
            let mut state = lock(&self.state);
            state.waiting.insert((channel, payload()));
            if state.busy {
                return;
            }
            state.busy = true;
        }
        // Without the lock: a runtime that shuts down drops the task at once.
        let sends = Sends {
            notes: self.clone(),
            done: false,
        };
        runtime.spawn(sends.all());
    }
}

/// The duty to send what waits. Dropped with its runtime, it is free for the next one.
struct Sends {
    notes: Arc<Notes>,
    done: bool,
}

impl Sends {
    async fn all(mut self) {
        while let Some(batch) = self.next() {
            if let Err(error) = self.send(&batch).await {
                debug!(%error, "cannot tell other processes; they will find out by looking");
            }
            self.notes.clock.sleep(GAP).await;
        }
    }

    /// What waits; `None` ends the duty.
    fn next(&mut self) -> Option<Vec<(&'static str, String)>> {
        let mut state = lock(&self.notes.state);
        let batch = std::mem::take(&mut state.waiting);
        self.done = batch.is_empty();
        state.busy = !self.done;
        state.busy.then(|| batch.into_iter().collect())
    }

    async fn send(&self, batch: &[(&'static str, String)]) -> sqlx::Result<()> {
        let Some(db) = &self.notes.db else {
            return Ok(());
        };
        notify(&mut db.read().await?, batch).await
    }
}

impl Drop for Sends {
    fn drop(&mut self) {
        if !self.done {
            lock(&self.notes.state).busy = false;
        }
    }
}
