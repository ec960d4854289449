use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cgcg_core::Clock;
use cgcg_tasks::{Error, Handlers, Service, TaskError, Worker};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::NAME;
use crate::Failure;

/// The worker, and how long after it was made each task began.
pub(super) struct Work {
    seen: Arc<Seen>,
    /// The first of them are for their number alone.
    first: usize,
    stop: CancellationToken,
    worker: JoinHandle<Result<(), Error>>,
}

#[derive(Default)]
struct Seen {
    times: Mutex<Vec<Duration>>,
    news: Notify,
}

impl Seen {
    fn times(&self) -> MutexGuard<'_, Vec<Duration>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, tasks: usize) {
        while self.times().len() < tasks {
            self.news.notified().await;
        }
    }
}

impl Work {
    pub(super) fn start(tasks: &Service, clock: &Arc<dyn Clock>, slots: u16, first: usize) -> Self {
        let seen = Arc::new(Seen::default());
        let (notes, clock) = (seen.clone(), clock.clone());
        let handlers = Handlers::new().on_name(NAME, move |_, payload| {
            let made: Result<Duration, _> = payload.read();
            let time = made.map(|made| clock.monotonic().saturating_sub(made));
            let noted = time.map(|time| notes.times().push(time));
            notes.news.notify_one();
            async { noted.map(|()| None).map_err(TaskError::dead) }
        });
        let stop = CancellationToken::new();
        let worker = Worker::new(tasks.clone(), handlers).queue(NAME, slots);
        let worker = tokio::spawn(worker.run_until(stop.clone()));
        Self {
            seen,
            first,
            stop,
            worker,
        }
    }

    /// Until the first have begun.
    pub(super) async fn begun(&self) {
        self.seen.until(self.first).await;
    }

    /// Once as many more have begun, and all ends are written: their times.
    pub(super) async fn end(self, more: usize) -> Result<Vec<Duration>, Failure> {
        self.seen.until(self.first + more).await;
        self.stop.cancel();
        self.worker.await??;
        Ok(self.seen.times().split_off(self.first))
    }
}
