mod announce;
mod change;
mod create;
mod cron;
mod floors;
mod health;
mod list;
mod maintenance;
mod metrics;
mod model;
mod plans;
mod queues;
#[cfg(feature = "router")]
mod router;
mod schedules;
mod settings;
mod store;
mod trace;
mod wait;
mod worker;

use std::sync::Arc;
use std::time::Duration;

use cgcg_core::Db;
use cgcg_testkit::TestClock;
use serde_json::{Value, json};

use crate::batch::ClaimItem;
use crate::store::claim::Claimed;
use crate::store::lease::{Done, Moved, Next, Settled};
use crate::{MIGRATIONS, Service, Settings, TaskCreate, TaskId, TaskState, TaskStatus};

/// A queue with all that a test looks at from outside.
struct Bed {
    db: Db,
    clock: TestClock,
    tasks: Service,
}

const LEASE: Duration = Duration::from_secs(30);

impl Bed {
    async fn new(db: Db) -> Self {
        Self::with(db, Settings::default()).await
    }

    async fn with(db: Db, settings: Settings) -> Self {
        MIGRATIONS.run(&db).await.unwrap();
        let clock = TestClock::default();
        let tasks = Service::new(db.clone(), Arc::new(clock.clone()), settings);
        Self { db, clock, tasks }
    }

    /// Another process on the same database.
    fn another(&self) -> Service {
        Service::new(
            self.db.clone(),
            Arc::new(self.clock.clone()),
            self.tasks.settings().clone(),
        )
    }

    async fn create(&self, name: &str) -> TaskId {
        self.tasks.create_task(name, &json!({})).await.unwrap()
    }

    async fn status(&self, id: TaskId) -> TaskStatus {
        self.tasks.get_task_status(id).await.unwrap().unwrap()
    }

    async fn state(&self, id: TaskId) -> TaskState {
        self.status(id).await.state
    }

    /// As `worker`, up to ten of the queue `default` for the handlers called `n` and `other`.
    async fn claim(&self, worker: &str) -> Vec<Claimed> {
        let wanted = ClaimItem {
            queue: "default".into(),
            limit: 10,
            ahead: 0,
            lease: LEASE,
            worker: worker.into(),
            names: ["n".to_owned(), "other".to_owned()].into(),
        };
        self.tasks.claim(wanted).await.unwrap().tasks
    }

    /// The one task that there is.
    async fn claim_one(&self, worker: &str) -> Claimed {
        let [task] = self.claim(worker).await.try_into().unwrap();
        task
    }

    async fn complete(&self, worker: &str, task: &Claimed) -> bool {
        self.tasks.complete(done(worker, task, None)).await.unwrap()
    }

    async fn settle(&self, worker: &str, task: &Claimed, next: Next) -> Option<Moved> {
        let settled = settled(worker, task, next);
        self.tasks.settle(settled).await.unwrap()
    }

    /// Lets `time` pass and makes ready what is due then.
    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        self.tasks.promote().await.unwrap();
    }
}

fn done(worker: &str, task: &Claimed, result: Option<&str>) -> Done {
    Done {
        fence: task.fence(),
        worker: worker.to_owned(),
        result: result.map(str::to_owned),
    }
}

fn settled(worker: &str, task: &Claimed, next: Next) -> Settled {
    let error = matches!(next, Next::Retry(_) | Next::Fail);
    let error = error.then(|| json!({ "at": 1, "attempt": task.attempt, "code": "error" }));
    Settled {
        fence: task.fence(),
        worker: worker.to_owned(),
        next,
        error,
    }
}

fn new(name: &str, payload: &Value) -> TaskCreate {
    TaskCreate::new(name.parse().unwrap(), crate::Payload::of(payload).unwrap())
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
