//! Who is told of what, inside of one process. Between processes there is polling.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, broadcast, watch};

use crate::TaskId;

/// Bells of workers that wait for work, one for each queue; one of whoever waits for scheduled work; one of those who
/// hold leases.
pub(crate) struct Bells {
    queues: Mutex<HashMap<String, watch::Sender<()>>>,
    scheduled: Notify,
    asked: broadcast::Sender<TaskId>,
}

impl Default for Bells {
    fn default() -> Self {
        Self {
            queues: Mutex::default(),
            scheduled: Notify::new(),
            // Whoever is slower than that hears of the rest by its next heartbeat.
            asked: broadcast::Sender::new(256),
        }
    }
}

impl Bells {
    /// This running task was asked to stop.
    pub(crate) fn ask(&self, id: TaskId) {
        // Where nobody listens, nothing runs here.
        let _ = self.asked.send(id);
    }

    /// Hears of running tasks that are asked to stop.
    pub(crate) fn listen_asked(&self) -> broadcast::Receiver<TaskId> {
        self.asked.subscribe()
    }

    /// Hears of work that is ready in `queue` from now on.
    pub(crate) fn listen(&self, queue: &str) -> watch::Receiver<()> {
        let mut queues = lock(&self.queues);
        queues
            .entry(queue.to_owned())
            .or_insert_with(|| watch::Sender::new(()))
            .subscribe()
    }

    /// Something is ready in `queue`.
    pub(crate) fn ready(&self, queue: &str) {
        if let Some(bell) = lock(&self.queues).get(queue) {
            bell.send_replace(());
        }
    }

    /// Something waits for its time.
    pub(crate) fn scheduled(&self) {
        self.scheduled.notify_one();
    }

    /// Until something new waits for its time.
    pub(crate) async fn until_scheduled(&self) {
        self.scheduled.notified().await;
    }
}

/// At most so many wait for ends by bell. The rest polls.
const MOST: usize = 10_000;

/// Those who wait for the end of a task.
#[derive(Default)]
pub(crate) struct Ends(Mutex<HashMap<TaskId, Arc<Notify>>>);

/// Hears of the end of one task, for as long as it lives.
pub(crate) struct End<'a> {
    ends: &'a Ends,
    id: TaskId,
    /// `None` where too many wait already.
    bell: Option<Arc<Notify>>,
}

impl Ends {
    /// Hears of the end of `id` from now on.
    pub(crate) fn listen(&self, id: TaskId) -> End<'_> {
        let mut ends = lock(&self.0);
        let known = ends.len() < MOST || ends.contains_key(&id);
        let bell = known.then(|| ends.entry(id).or_default().clone());
        drop(ends);
        End {
            ends: self,
            id,
            bell,
        }
    }

    /// These have ended.
    pub(crate) fn ring(&self, ids: impl IntoIterator<Item = TaskId>) {
        let ends = lock(&self.0);
        if ends.is_empty() {
            return;
        }
        for bell in ids.into_iter().filter_map(|id| ends.get(&id)) {
            bell.notify_waiters();
        }
    }
}

impl End<'_> {
    /// Until it has ended, from this call on; for ever where too many wait already.
    pub(crate) fn heard(&self) -> impl Future<Output = ()> {
        let notified = self.bell.as_ref().map(|bell| bell.notified());
        async {
            match notified {
                Some(notified) => notified.await,
                None => std::future::pending().await,
            }
        }
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut ends = lock(&self.ends.0);
        let Some(bell) = self.bell.take() else { return };
        // The map's and this one: nobody else listens.
        if Arc::strong_count(&bell) == 2 {
            ends.remove(&self.id);
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
