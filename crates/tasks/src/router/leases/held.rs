use std::sync::Arc;

use crate::Service;
use crate::store::claim::Claimed;
use crate::store::lease::{Next, Settled};

/// Tasks that were taken for a client. Those that it never hears of, because it hung up, are given back.
pub(crate) struct Held {
    tasks: Service,
    worker: Arc<str>,
    taken: Vec<(Arc<str>, Claimed)>,
}

impl Held {
    pub(crate) const fn new(tasks: Service, worker: Arc<str>) -> Self {
        Self {
            tasks,
            worker,
            taken: Vec::new(),
        }
    }

    pub(crate) fn add(&mut self, queue: &Arc<str>, tasks: Vec<Claimed>) {
        let tasks = tasks.into_iter().map(|task| (queue.clone(), task));
        self.taken.extend(tasks);
    }

    pub(crate) fn count(&self) -> usize {
        self.taken.len()
    }

    /// Those that the client is about to hear of, and the queue of each.
    pub(crate) fn hand_over(mut self) -> Vec<(Arc<str>, Claimed)> {
        std::mem::take(&mut self.taken)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let taken = std::mem::take(&mut self.taken);
        // Without a runtime the process ends: then the leases do.
        let (Ok(runtime), false) = (tokio::runtime::Handle::try_current(), taken.is_empty()) else {
            return;
        };
        let (tasks, worker) = (self.tasks.clone(), self.worker.clone());
        runtime.spawn(async move {
            for (_, task) in taken {
                let settled = Settled {
                    fence: task.fence(),
                    worker: worker.to_string(),
                    next: Next::Release,
                    error: None,
                };
                if let Err(error) = tasks.settle(settled).await {
                    tracing::warn!(task.id = %task.id, %error, "a task cannot be given back; its lease ends by itself");
                }
            }
        });
    }
}
