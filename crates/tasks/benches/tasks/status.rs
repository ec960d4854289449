use std::time::Duration;

use cgcg_core::Clock;

use crate::Bench;
use crate::work::task;

/// As many at once as creators make tasks beside it.
const CREATORS: usize = 256;
/// Of them, one after the other: one alone is too short for a p99.
const CYCLES: usize = 5;

impl Bench {
    /// How long a status takes while tasks are made, taken and completed as fast as they can be; and beside it `ping`, what
    /// the database takes to answer anything at all.
    pub(crate) async fn status(&self) {
        let mut known = Vec::new();
        for _ in 0..100 {
            let made = self.tasks.create(task("idle", "none")).await;
            known.push(made.expect("a task").id);
        }
        let load = async {
            for _ in 0..CYCLES {
                self.cycle(CREATORS).await;
            }
        };
        tokio::pin!(load);
        let (mut looks, mut pings) = (Vec::new(), Vec::new());
        for id in known.iter().cycle() {
            let look = async {
                let status = async {
                    let status = self.tasks.get_task_status(*id).await;
                    assert!(status.expect("an answer").is_some());
                };
                let ping = async { self.db.ping().await.expect("an answer") };
                (self.time(status).await, self.time(ping).await)
            };
            let (look, ping) = tokio::select! {
                times = look => times,
                () = &mut load => break,
            };
            looks.push(look);
            pings.push(ping);
        }
        self.quantiles("status", 1, looks);
        self.quantiles("ping", 1, pings);
    }

    /// How long `what` takes; then a pause, so that whoever measures is no load itself.
    async fn time(&self, what: impl Future<Output = ()>) -> Duration {
        let start = self.clock.monotonic();
        what.await;
        let time = self.clock.monotonic() - start;
        self.clock.sleep(Duration::from_millis(2)).await;
        time
    }
}
