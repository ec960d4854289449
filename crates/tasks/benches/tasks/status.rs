use std::time::Duration;

use cgcg_core::Clock;

use crate::Bench;
use crate::work::task;

/// As many at once as creators make tasks beside it.
const CREATORS: usize = 256;

impl Bench {
    /// How long a status takes, each 2 ms, while tasks are made, taken and completed as fast as they can be.
    pub(crate) async fn status(&self) {
        let mut known = Vec::new();
        for _ in 0..100 {
            let made = self.tasks.create(task("idle", "none")).await;
            known.push(made.expect("a task").id);
        }
        let cycle = self.cycle(CREATORS);
        tokio::pin!(cycle);
        let mut times = Vec::new();
        for id in known.iter().cycle() {
            let look = async {
                let start = self.clock.monotonic();
                let status = self.tasks.get_task_status(*id).await;
                assert!(status.expect("an answer").is_some());
                let time = self.clock.monotonic() - start;
                self.clock.sleep(Duration::from_millis(2)).await;
                time
            };
            tokio::select! {
                time = look => times.push(time),
                () = &mut cycle => break,
            }
        }
        self.quantiles("status", 1, times);
    }
}
