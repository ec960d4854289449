use std::time::Duration;

use cgcg_core::Timestamp;
use metrics::counter;
use tokio::sync::MutexGuard;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::Service;
use crate::store;
use crate::wake::Bells;
use crate::worker::backoff::{doubled, spread};

/// Where others are heard at once, looking is only a net: so many times `poll` apart.
const HEARD: u32 = 5;
const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(5);

/// The one who watches; whoever drops its future ends that as well.
struct Watches<'a> {
    bells: &'a Bells,
    _turn: MutexGuard<'a, ()>,
}

impl<'a> Watches<'a> {
    fn new(bells: &'a Bells, turn: MutexGuard<'a, ()>) -> Self {
        bells.set_watched(true);
        Self { bells, _turn: turn }
    }
}

impl Drop for Watches<'_> {
    fn drop(&mut self) {
        self.bells.set_watched(false);
        self.bells.set_hears(false);
    }
}

impl Service {
    /// Sees what other processes wrote, and what is due, for all of this process that wait for it; until `stop`. One
    /// at a time: whoever comes second waits for its turn.
    pub(crate) async fn watch_until(&self, stop: &CancellationToken) {
        let turn = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            turn = self.0.watching.lock() => turn,
        };
        let _watches = Watches::new(self.bells(), turn);
        tokio::join!(self.look_until(stop), self.hear_until(stop));
    }

    async fn look_until(&self, stop: &CancellationToken) {
        let (mut failures, mut turn) = (0, 0_u64);
        let mut due = None;
        loop {
            let pause = match self.look(&mut due).await {
                Ok(pause) => {
                    failures = 0;
                    pause
                }
                Err(error) => {
                    failures += 1;
                    warn!(%error, "cannot look for work; trying again");
                    spread(doubled(FIRST, LONGEST, failures), turn)
                }
            };
            turn += 1;
            self.turns("looking for work", pause);
            tokio::select! {
                biased;
                () = stop.cancelled() => return self.turns_no_more("looking for work"),
                () = self.bells().until_look() => {}
                () = self.clock().sleep(pause) => counter!("cgcg_tasks_wakes_total", "by" => "poll").increment(1),
            }
        }
    }

    /// Rings the bell of each who has something to do; answers how long nobody else will. `due`: when scheduled work
    /// was due at the last look.
    async fn look(&self, due: &mut Option<Timestamp>) -> sqlx::Result<Duration> {
        let bells = self.bells();
        let look = {
            let mut conn = self.0.db.read().await?;
            let now = self.0.shared.now(&conn);
            store::watch::look(&mut conn, now, bells.queues()).await?
        };
        for queue in &look.ready {
            bells.ready(queue);
        }
        let passed = |at: Option<Timestamp>| at.is_some_and(|at| at <= look.now);
        if passed(look.due) || look.due != *due {
            bells.scheduled();
        }
        *due = look.due;
        if passed(look.tick) {
            bells.tick();
        }
        if look.ended {
            bells.ended();
        }
        let poll = self.settings().poll.get();
        let often = match bells.hears() {
            true => poll * HEARD,
            false => poll,
        };
        let often = spread(often, look.now);
        let next = look.tick.filter(|at| *at > look.now);
        Ok(next.map_or(often, |at| often.min(at.since(look.now))))
    }
}
