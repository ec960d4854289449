use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cgcg_core::Clock;
use metrics::{gauge, histogram};
use serde_json::Value;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::TaskId;
use crate::store::lease::{Beat, Beaten, Fence};

/// The leases that a worker holds, and how far it trusts them.
///
/// A lease is trusted for five sixths of its time from before it was asked for. Past that its work is stopped: another
/// worker may have it. All times are monotonic. The machine may have slept, so trust is never the truth: the fence is.
pub(crate) struct Leases {
    clock: Arc<dyn Clock>,
    trust: Duration,
    beat: Duration,
    held: Mutex<HashMap<Fence, Held>>,
    news: Notify,
}

struct Held {
    renewed_at: Duration,
    /// Not yet sent.
    progress: Option<Value>,
    /// Ended in its handler's own transaction: no signs of life any more.
    written: bool,
    signals: Signals,
}

/// What can happen to an execution from outside.
#[derive(Clone)]
pub(crate) struct Signals {
    /// The handler should stop, for whatever reason.
    pub(crate) stop: CancellationToken,
    /// Somebody asked for it.
    pub(crate) asked: CancellationToken,
    /// The lease is over: nothing may be written any more.
    pub(crate) lost: CancellationToken,
}

impl Leases {
    pub(crate) fn new(clock: Arc<dyn Clock>, lease: Duration, beat: Duration) -> Self {
        Self {
            clock,
            trust: lease - lease / 6,
            beat,
            held: Mutex::default(),
            news: Notify::new(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fence, Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes over a lease that was asked for at `asked_at`; `None` where its trust is over already.
    pub(crate) fn hold(
        &self,
        fence: Fence,
        asked_at: Duration,
        stop: CancellationToken,
    ) -> Option<Signals> {
        if self.clock.monotonic() >= asked_at + self.trust {
            return None;
        }
        let signals = Signals {
            stop,
            asked: CancellationToken::new(),
            lost: CancellationToken::new(),
        };
        let held = Held {
            renewed_at: asked_at,
            progress: None,
            written: false,
            signals: signals.clone(),
        };
        self.lock().insert(fence, held);
        gauge!("cgcg_tasks_running").increment(1);
        Some(signals)
    }

    pub(crate) fn give_up(&self, fence: Fence) {
        if self.lock().remove(&fence).is_some() {
            gauge!("cgcg_tasks_running").decrement(1);
        }
    }

    pub(crate) fn count(&self) -> usize {
        self.lock().len()
    }

    /// Whether something may still be written under this lease.
    pub(crate) fn trusted(&self, fence: Fence) -> bool {
        let now = self.clock.monotonic();
        let held = self.lock();
        let held = held.get(&fence);
        held.is_some_and(|held| {
            !held.signals.lost.is_cancelled() && now < held.renewed_at + self.trust
        })
    }

    /// It has ended in the handler's own transaction.
    pub(crate) fn written(&self, fence: Fence) {
        if let Some(held) = self.lock().get_mut(&fence) {
            held.written = true;
        }
    }

    pub(crate) fn is_written(&self, fence: Fence) -> bool {
        self.lock().get(&fence).is_some_and(|held| held.written)
    }

    /// New progress; what was not sent yet is forgotten.
    pub(crate) fn tell(&self, fence: Fence, progress: Value) {
        if let Some(held) = self.lock().get_mut(&fence) {
            held.progress = Some(progress);
            self.news.notify_one();
        }
    }

    /// Until there is new progress.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// Somebody asked this task to stop.
    pub(crate) fn ask(&self, id: TaskId) {
        for (_, held) in self.lock().iter().filter(|(fence, _)| fence.id == id) {
            held.signals.asked.cancel();
            held.signals.stop.cancel();
        }
    }

    /// Gives up what is past its trust; answers the signs of life that are due, with progress that is not sent yet.
    pub(crate) fn due(&self) -> Vec<Beat> {
        let now = self.clock.monotonic();
        let mut due = Vec::new();
        for (fence, held) in &mut *self.lock() {
            if held.written || held.signals.lost.is_cancelled() {
                continue;
            }
            if now >= held.renewed_at + self.trust {
                held.lose();
            } else if held.progress.is_some() || now >= held.renewed_at + self.beat {
                histogram!("cgcg_tasks_beat_lag_seconds")
                    .record(now.saturating_sub(held.renewed_at + self.beat));
                due.push(Beat {
                    fence: *fence,
                    progress: held.progress.take(),
                });
            }
        }
        due
    }

    /// What the database answered to `beats`, sent at `sent_at`.
    pub(crate) fn beaten(&self, beats: &[Beat], beaten: &[Beaten], sent_at: Duration) {
        let mut leases = self.lock();
        for beat in beats {
            let Some(held) = leases.get_mut(&beat.fence).filter(|held| !held.written) else {
                continue;
            };
            match beaten.iter().find(|row| row.seq == beat.fence.seq) {
                None => held.lose(),
                Some(row) => {
                    if row.cancel_requested {
                        held.signals.asked.cancel();
                        held.signals.stop.cancel();
                    }
                    if row.renewed {
                        held.renewed_at = sent_at;
                    } else {
                        // Its trust goes on as it was; the next turn that finds it due asks again.
                        held.keep(&beat.progress);
                    }
                }
            }
        }
    }

    /// These were not sent.
    pub(crate) fn unsent(&self, beats: &[Beat]) {
        let mut leases = self.lock();
        for beat in beats {
            if let Some(held) = leases.get_mut(&beat.fence) {
                held.keep(&beat.progress);
            }
        }
    }
}

impl Held {
    fn lose(&self) {
        self.signals.lost.cancel();
        self.signals.stop.cancel();
    }

    /// Progress that was not stored is sent again, unless there is newer.
    fn keep(&mut self, progress: &Option<Value>) {
        if self.progress.is_none() {
            self.progress.clone_from(progress);
        }
    }
}
