use std::sync::{Arc, Mutex};
use std::time::Duration;

use cgcg_core::{BoxFuture, Clock, Db, Engine, Timestamp, on};
use cgcg_testkit::{TestClock, both};
use serde_json::json;

use super::worker::rename;
use super::{Bed, LEASE, new, seconds};
use crate::floors::Floors;
use crate::gate::{Taken, take_without_limits};
use crate::store::claim::Request;
use crate::{QueueLimits, TaskCreate, TaskId};

/// Each look at it takes time.
#[derive(Clone)]
struct Slow {
    clock: TestClock,
    cost: Arc<Mutex<Duration>>,
    spent: Arc<Mutex<Duration>>,
}

impl Clock for Slow {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        let mut spent = self.spent.lock().unwrap();
        *spent += *self.cost.lock().unwrap();
        self.clock.monotonic() + *spent
    }

    fn sleep(&self, time: Duration) -> BoxFuture<'static, ()> {
        self.clock.sleep(time)
    }
}

struct Scans {
    bed: Bed,
    cost: Arc<Mutex<Duration>>,
    floors: Floors,
}

impl Scans {
    /// A task was found, and the scan for it took a second.
    async fn new(db: Db) -> Self {
        let bed = Bed::new(db).await;
        let clock = Slow {
            clock: bed.clock.clone(),
            cost: Arc::default(),
            spent: Arc::default(),
        };
        let cost = clock.cost.clone();
        let floors = Floors::new(Arc::new(clock));
        let scans = Self { bed, cost, floors };
        scans.bed.clock.advance(seconds(60));
        let first = scans.ready(100, 0).await;
        scans.take(seconds(1));
        assert_eq!(scans.claim(10).await, ([first].into(), None));
        scans.take(Duration::ZERO);
        scans
    }

    fn take(&self, time: Duration) {
        *self.cost.lock().unwrap() = time;
    }

    /// A task of this priority that could have been taken since so many milliseconds.
    async fn ready(&self, priority: i16, age: i64) -> TaskId {
        let new = TaskCreate {
            priority: Some(priority),
            ..new("n", &json!(1))
        };
        let made = self.bed.tasks.create(new).await.unwrap();
        let sql = "update task set run_at = run_at - $2 where id = $1";
        let mut conn = self.bed.db.begin().await.unwrap();
        on!(&mut conn, |c| sqlx::query(sql)
            .bind(made.id)
            .bind(age * 1_000)
            .execute(c)
            .await
            .map(drop))
        .unwrap();
        conn.commit().await.unwrap();
        made.id
    }

    async fn claim(&self, limit: i64) -> (Vec<TaskId>, Option<Duration>) {
        let Taken { tasks, again, .. } = self.try_claim(limit).await.unwrap();
        (tasks.iter().map(|task| task.id).collect(), again)
    }

    async fn try_claim(&self, limit: i64) -> sqlx::Result<Taken> {
        let names = ["n".to_owned()];
        let wanted = Request {
            queue: "default",
            limit,
            ahead: 0,
            lease: LEASE,
            worker: "w",
            names: &names,
        };
        let mut conn = self.bed.db.begin().await?;
        let now = crate::store::now(&self.bed.clock, &conn);
        let taken = take_without_limits(&mut conn, now, &wanted, &self.floors).await?;
        conn.commit().await?;
        Ok(taken.unwrap_or_default())
    }

    fn has_floors(&self) -> bool {
        self.bed.db.engine() == Engine::Postgres
    }
}

both! {
    async fn what_becomes_ready_behind_the_floor_is_found_by_the_next_full_scan(db: Db) {
        let scans = Scans::new(db).await;
        let behind = scans.ready(100, 5_000).await;
        let within = scans.ready(100, 200).await;
        let sooner = scans.ready(1, 5_000).await;
        if !scans.has_floors() {
            assert_eq!(scans.claim(10).await, ([sooner, behind, within].into(), None));
            return;
        }
        assert_eq!(scans.claim(10).await, ([sooner, within].into(), Some(seconds(10))));
        scans.bed.clock.advance(seconds(10));
        assert_eq!(scans.claim(10).await, ([behind].into(), None));
    }

    async fn a_full_scan_that_has_enough_leaves_later_priorities_to_the_next(db: Db) {
        let scans = Scans::new(db).await;
        let behind = scans.ready(100, 5_000).await;
        let sooner = scans.ready(1, 0).await;
        scans.bed.clock.advance(seconds(10));
        scans.take(seconds(1));
        assert_eq!(scans.claim(1).await.0, [sooner]);
        assert_eq!(scans.claim(10).await.0, [behind]);
    }

    async fn a_full_scan_that_has_enough_goes_on_where_it_stopped(db: Db) {
        let scans = Scans::new(db).await;
        let behind = [scans.ready(100, 5_000).await, scans.ready(100, 4_000).await];
        scans.bed.clock.advance(seconds(10));
        scans.take(seconds(1));
        assert_eq!(scans.claim(1).await.0, [behind[0]]);
        assert_eq!(scans.claim(1).await.0, [behind[1]]);
    }

    async fn a_full_scan_that_fails_holds_the_next_one_off(db: Db) {
        let scans = Scans::new(db).await;
        let behind = scans.ready(100, 5_000).await;
        scans.bed.clock.advance(seconds(10));
        rename(&scans.bed.db, "alter table task_queue rename to task_away").await;
        assert!(scans.try_claim(10).await.is_err());
        rename(&scans.bed.db, "alter table task_away rename to task_queue").await;
        if scans.has_floors() {
            assert_eq!(scans.claim(10).await, (Vec::new(), Some(seconds(10))));
            scans.bed.clock.advance(seconds(10));
        }
        assert_eq!(scans.claim(10).await.0, [behind]);
    }

    async fn what_becomes_ready_in_a_pause_is_found_when_the_queue_goes_on(db: Db) {
        let scans = Scans::new(db).await;
        let queue = "default".parse().unwrap();
        let paused = |paused| QueueLimits { paused, ..QueueLimits::default() };
        scans.bed.tasks.set_limits(&queue, paused(true), None).await.unwrap();
        let task = scans.ready(100, 0).await;
        scans.bed.clock.advance(seconds(5));
        assert_eq!(scans.claim(10).await.0, []);
        scans.bed.tasks.set_limits(&queue, paused(false), None).await.unwrap();
        assert_eq!(scans.claim(10).await.0, [task]);
    }
}
