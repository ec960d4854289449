use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{broadcast, oneshot};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::Running;
use super::leases::Leases;
use crate::batch::BeatItem;
use crate::service::lease::Beater;
use crate::store::lease::Beat;
use crate::{Error, Service, TaskId};

/// How often it looks which leases need a sign of life.
const TURN: Duration = Duration::from_secs(2);
/// How long news of progress gather.
const GATHER: Duration = Duration::from_millis(500);
/// Leases in one statement.
const ROWS: usize = 200;
/// A database that does not answer within this is asked again at the next turn.
const ANSWER: Duration = Duration::from_secs(5);

/// Keeps the leases of a worker alive, on a thread with a runtime and a connection of its own: neither a handler that
/// blocks every other thread nor a full pool can stop it.
pub(super) struct Keeper {
    stop: DropGuard,
    ended: oneshot::Receiver<()>,
}

impl Keeper {
    pub(super) fn start(run: &Running) -> Result<Self, Error> {
        let work = Work {
            leases: run.leases.clone(),
            asked: run.tasks.bells().listen_asked(),
            tasks: run.tasks.clone(),
            worker: run.id.clone(),
        };
        let stop = CancellationToken::new();
        let (tell, ended) = oneshot::channel();
        let until = stop.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|error| Error::Thread(error.to_string()))?;
        let thread = std::thread::Builder::new().name("cgcg-keeper".to_owned());
        let started = thread.spawn(move || {
            runtime.block_on(work.until(until));
            // Dropped with the thread where it panics; nobody waits any more where the worker is gone.
            let _ = tell.send(());
        });
        started.map_err(|error| Error::Thread(error.to_string()))?;
        Ok(Self {
            stop: stop.drop_guard(),
            ended,
        })
    }

    pub(super) async fn end(self) {
        drop(self.stop);
        // An error: it has ended before, by a panic.
        let _ = self.ended.await;
    }
}

struct Work {
    tasks: Service,
    leases: Arc<Leases>,
    worker: Arc<str>,
    asked: broadcast::Receiver<TaskId>,
}

impl Work {
    async fn until(mut self, stop: CancellationToken) {
        let beater = Beater::new(self.tasks.clone());
        let clock = self.tasks.clock().clone();
        let mut turn = clock.sleep(TURN);
        let leases = self.leases.clone();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => break,
                () = &mut turn => {}
                () = async { leases.news().await; clock.sleep(GATHER).await } => {}
                asked = self.asked.recv() => {
                    // Too many at once: the flag of the rest comes with the next beat.
                    if let Ok(id) = asked {
                        leases.ask(id);
                    }
                    continue;
                }
            }
            turn = clock.sleep(TURN);
            self.beat(&beater).await;
            self.tasks.turns("heartbeats", TURN);
        }
        self.tasks.turns_no_more("heartbeats");
        beater.close().await;
    }

    async fn beat(&self, beater: &Beater) {
        for beats in self.leases.due().chunks(ROWS) {
            let sent_at = self.tasks.clock().monotonic();
            match tokio::time::timeout(ANSWER, beater.beat(self.item(beats))).await {
                Ok(Ok(beaten)) => self.leases.beaten(beats, &beaten, sent_at),
                Ok(Err(error)) => {
                    warn!(%error, leases = beats.len(), "cannot renew leases; trying again");
                    self.leases.unsent(beats);
                }
                Err(_) => {
                    warn!(
                        leases = beats.len(),
                        "the database does not answer; trying again to renew leases"
                    );
                    self.leases.unsent(beats);
                }
            }
        }
    }

    fn item(&self, beats: &[Beat]) -> BeatItem {
        BeatItem {
            worker: self.worker.clone(),
            lease: self.tasks.settings().lease.get(),
            beats: beats.to_vec(),
        }
    }
}
