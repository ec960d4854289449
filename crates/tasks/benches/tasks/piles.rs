use std::time::Duration;

use cgcg_core::{Clock, on};
use cgcg_tasks::{QueueLimits, TaskCreate};

use crate::work::{Work, task};
use crate::{Bench, TASKS};

/// How many lie there.
const PILE: usize = 100_000;
/// Keys of the queue that limits them.
const KEYS: usize = 3_000;
const RUNNING: &str = "
    update task set state = 3, lease = 1, attempt = 1, worker = 'w', started_at = created_at,
      lease_until = created_at + 86400000000, deadline_at = created_at + 86400000000
    where state = 2 and name = 'none' and queue = 'default'";

impl Bench {
    /// How fast tasks are taken and completed beside 100,000 that wait for their time and 100,000 that run; and, where
    /// keys are limited, beside 100,000 of one key. A ratio of 1: as fast as without them.
    pub(crate) async fn piles(&self) {
        let limits = QueueLimits {
            max_per_key: Some(4),
            ..QueueLimits::default()
        };
        let keyed = "keyed".parse().expect("a name");
        let set = self.tasks.set_limits(&keyed, limits, None).await;
        set.expect("limits");
        let before = self.drains(["drain", "drain_keyed"]).await;
        self.pile().await;
        let beside = self
            .drains(["drain_beside_piles", "drain_keyed_beside_piles"])
            .await;
        for (figure, at) in [("piles", 0), ("piles_keyed", 1)] {
            self.print(figure, before[at] / beside[at], "ratio", 1);
        }
    }

    async fn drains(&self, figures: [&str; 2]) -> [f64; 2] {
        let plain = self.drain("default", figures[0], TASKS).await;
        let keyed = self.drain("keyed", figures[1], TASKS / 3).await;
        [plain, keyed]
    }

    async fn pile(&self) {
        let later = |_| TaskCreate {
            delay: Some(Duration::from_secs(86_400)),
            ..task("default", "count")
        };
        self.fill(PILE, later).await;
        self.fill(PILE, |_| task("default", "none")).await;
        let mut conn = self.db.begin().await.expect("a writer");
        let run = on!(&mut conn, |c| sqlx::query(RUNNING)
            .execute(c)
            .await
            .map(drop));
        run.expect("they run");
        conn.commit().await.expect("a commit");
        let of_one_key = |_| TaskCreate {
            concurrency_key: Some("one".to_owned()),
            ..task("keyed", "stay")
        };
        self.fill(PILE, of_one_key).await;
    }

    async fn fill(&self, tasks: usize, new: impl Fn(usize) -> TaskCreate) {
        let made = self.tasks.create_many((0..tasks).map(new).collect()).await;
        made.expect("tasks");
    }

    /// Seconds from the first claim to the last completion of tasks that lie there.
    async fn drain(&self, queue: &'static str, figure: &str, tasks: usize) -> f64 {
        let with_key = |at: usize| TaskCreate {
            concurrency_key: Some((at % KEYS).to_string()),
            ..task(queue, "count")
        };
        self.fill(tasks, with_key).await;
        let start = self.clock.monotonic();
        let (work, done) = Work::count(&self.tasks, queue, tasks);
        done.wait().await;
        let seconds = (self.clock.monotonic() - start).as_secs_f64();
        self.print(figure, tasks as f64 / seconds, "per_s", 1);
        work.end().await;
        seconds
    }
}
