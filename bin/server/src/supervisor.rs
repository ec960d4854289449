//! Keeps background work alive.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Clock, Runs, Worker};
use futures_util::FutureExt;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::cli::Role;

const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);

/// The background work of this process.
pub(crate) struct Supervisor(JoinSet<()>);

impl Supervisor {
    /// Starts what belongs into a process of this role.
    pub(crate) fn start(
        workers: Vec<Worker>,
        role: Role,
        clock: &Arc<dyn Clock>,
        stop: &CancellationToken,
    ) -> Self {
        let mut running = JoinSet::new();
        for worker in workers {
            if worker.runs == Runs::Everywhere || role != Role::Api {
                running.spawn(keep(worker, clock.clone(), stop.clone()));
            }
        }
        Self(running)
    }

    /// Waits until all have ended, at most `grace`.
    pub(crate) async fn end(self, grace: Duration) {
        let all = self.0.join_all();
        if tokio::time::timeout(grace, all).await.is_err() {
            tracing::warn!("background work did not end in time");
        }
    }
}

/// Starts a worker again whenever it ends, panics or fails, after a pause that doubles.
async fn keep(worker: Worker, clock: Arc<dyn Clock>, stop: CancellationToken) {
    let mut pause = FIRST_PAUSE;
    while !stop.is_cancelled() {
        let started = clock.monotonic();
        let ended = AssertUnwindSafe(async { (worker.start)(stop.clone()).await })
            .catch_unwind()
            .await;
        if stop.is_cancelled() {
            return;
        }
        let cause = match ended {
            Ok(Ok(())) => "it ended by itself".to_owned(),
            Ok(Err(failure)) => failure.to_string(),
            Err(_) => "it panicked; the panic is in the log above".to_owned(),
        };
        if clock.monotonic().saturating_sub(started) > LONGEST_PAUSE {
            pause = FIRST_PAUSE;
        }
        #[cfg(feature = "metrics")]
        metrics::counter!("cgcg_worker_restarts_total", "worker" => worker.name).increment(1);
        tracing::error!(
            worker = worker.name,
            cause,
            pause_s = pause.as_secs(),
            "worker ended, starts again"
        );
        tokio::select! {
            () = clock.sleep(pause) => {}
            () = stop.cancelled() => return,
        }
        pause = (pause * 2).min(LONGEST_PAUSE);
    }
}
