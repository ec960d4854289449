use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::lock;
use crate::TaskId;

/// So many may wait at once.
const MOST: usize = 10_000;

/// Those who wait for the end of a task.
#[derive(Default)]
pub(crate) struct Ends {
    waiting: Mutex<Waiting>,
    watched: AtomicBool,
}

#[derive(Default)]
struct Waiting {
    bells: HashMap<TaskId, Arc<Notify>>,
    count: usize,
}

/// Hears of the end of one task, for as long as it lives.
pub(crate) struct End<'a> {
    ends: &'a Ends,
    id: TaskId,
    bell: Arc<Notify>,
}

impl Ends {
    /// Hears of the end of `id` from now on; `None` where too many wait already.
    pub(crate) fn listen(&self, id: TaskId) -> Option<End<'_>> {
        let mut waiting = lock(&self.waiting);
        if waiting.count == MOST {
            return None;
        }
        waiting.count += 1;
        metrics::gauge!("cgcg_tasks_waiters").increment(1);
        let bell = waiting.bells.entry(id).or_default().clone();
        drop(waiting);
        Some(End {
            ends: self,
            id,
            bell,
        })
    }

    /// These have ended.
    pub(crate) fn ring(&self, ids: impl IntoIterator<Item = TaskId>) {
        let waiting = lock(&self.waiting);
        if waiting.count == 0 {
            return;
        }
        for bell in ids.into_iter().filter_map(|id| waiting.bells.get(&id)) {
            bell.notify_waiters();
        }
    }

    /// The right to watch for ends in other processes; `None` where somebody does, or nobody waits.
    pub(crate) fn watch(self: &Arc<Self>) -> Option<Watch> {
        let waiting = lock(&self.waiting);
        if waiting.count == 0 || self.watched.swap(true, Ordering::Relaxed) {
            return None;
        }
        Some(Watch {
            ends: self.clone(),
            done: false,
        })
    }
}

impl End<'_> {
    /// Until it has ended, from this call on.
    pub(crate) fn heard(&self) -> impl Future<Output = ()> {
        self.bell.notified()
    }
}

impl Drop for End<'_> {
    fn drop(&mut self) {
        let mut waiting = lock(&self.ends.waiting);
        waiting.count -= 1;
        metrics::gauge!("cgcg_tasks_waiters").decrement(1);
        // The map's and this one: nobody else listens.
        if Arc::strong_count(&self.bell) == 2 {
            waiting.bells.remove(&self.id);
        }
    }
}

/// Watches for all who wait.
pub(crate) struct Watch {
    ends: Arc<Ends>,
    done: bool,
}

impl Watch {
    /// What is waited for. Where that is nothing, the watch is over: whoever comes next begins a new one.
    pub(crate) fn waited(&mut self) -> Vec<TaskId> {
        let waiting = lock(&self.ends.waiting);
        if waiting.count == 0 {
            self.done = true;
            self.ends.watched.store(false, Ordering::Relaxed);
        }
        waiting.bells.keys().copied().collect()
    }

    pub(crate) fn ring(&self, ids: impl IntoIterator<Item = TaskId>) {
        self.ends.ring(ids);
    }
}

impl Drop for Watch {
    /// With its runtime: whoever comes next begins a new one.
    fn drop(&mut self) {
        if !self.done {
            self.ends.watched.store(false, Ordering::Relaxed);
        }
    }
}
