use std::sync::Arc;
use std::time::Duration;

use cgcg_core::Clock;
use cgcg_tasks::{Error, Handlers, Service, TaskError, Worker};
use tokio::sync::mpsc::{self, UnboundedReceiver};
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

use super::NAME;
use crate::Failure;

/// What does not begin within this never will.
const PATIENCE: Duration = Duration::from_secs(60);

/// A worker, and how long after it was made each task began.
pub(super) struct Work {
    times: UnboundedReceiver<Duration>,
    clock: Arc<dyn Clock>,
    stop: DropGuard,
    worker: JoinHandle<Result<(), Error>>,
}

impl Work {
    pub(super) fn start(tasks: &Service, clock: &Arc<dyn Clock>, slots: u16) -> Self {
        let (tell, times) = mpsc::unbounded_channel();
        let handlers = Handlers::new().on_name(NAME, {
            let clock = clock.clone();
            move |_, payload| {
                let made: Result<Duration, _> = payload.read();
                let told = made.map(|made| tell.send(clock.monotonic().saturating_sub(made)));
                async { told.map(|_| None).map_err(TaskError::dead) }
            }
        });
        let stop = CancellationToken::new();
        let worker = Worker::new(tasks.clone(), handlers).queue(NAME, slots);
        Self {
            times,
            clock: clock.clone(),
            worker: tokio::spawn(worker.run_until(stop.clone())),
            stop: stop.drop_guard(),
        }
    }

    /// Once so many have begun, and their ends are written.
    pub(super) async fn end(mut self, tasks: usize) -> Result<Vec<Duration>, Failure> {
        let mut begun = Vec::with_capacity(tasks);
        while begun.len() < tasks {
            let time = tokio::select! {
                time = self.times.recv() => time,
                () = self.clock.sleep(PATIENCE) => None,
            };
            begun.push(time.ok_or("no task began for a minute; see the log")?);
        }
        drop(self.stop);
        self.worker.await??;
        Ok(begun)
    }
}
