mod ahead;
mod ends;
mod fence;
mod outcome;
mod shutdown;
mod wake;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use cgcg_core::{Clock, Db, on};
use cgcg_testkit::{both, eventually};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::{Bed, new, seconds};
use crate::store::worker::{Seen, seen};
use crate::{
    Defaults, Error, Handlers, Service, TaskCreate, TaskError, TaskId, TaskState, TypedTask, Worker,
};

/// A worker in a task of its own.
struct Works {
    stop: CancellationToken,
    end: JoinHandle<Result<(), Error>>,
}

impl Works {
    fn start(tasks: &Service, handlers: Handlers, slots: u16) -> Self {
        let stop = CancellationToken::new();
        let worker = Worker::new(tasks.clone(), handlers).queue("default", slots);
        let end = tokio::spawn(worker.run_until(stop.clone()));
        Self { stop, end }
    }

    async fn end(self) {
        self.stop.cancel();
        self.end.await.unwrap().unwrap();
    }
}

impl Bed {
    fn work(&self, handlers: Handlers, slots: u16) -> Works {
        Works::start(&self.tasks, handlers, slots)
    }

    /// As [`Bed::pass_until`], in small steps.
    async fn little_by_little(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        eventually(what, async || {
            self.clock.advance(Duration::from_millis(5));
            holds().await
        })
        .await;
    }

    /// Lets time pass, little by little, until `holds`.
    async fn pass_until(&self, what: &str, mut holds: impl AsyncFnMut() -> bool) {
        eventually(what, async || {
            let done = holds().await;
            if !done {
                self.clock.advance(Duration::from_millis(200));
            }
            done
        })
        .await;
    }

    /// No time passes.
    async fn until_state(&self, id: TaskId, state: TaskState) {
        eventually("the task is so far", async || self.state(id).await == state).await;
    }
}

#[derive(Serialize, Deserialize)]
struct Add {
    a: u32,
    b: u32,
}

impl TypedTask for Add {
    const NAME: &'static str = "add";
    type Output = u32;

    fn defaults() -> Defaults {
        Defaults::queue("default")
            .max_attempts(3)
            .priority(7)
            .timeout(seconds(60))
    }
}

fn adds() -> Handlers {
    Handlers::new().on(|_, task: Add| async move { Ok(task.a + task.b) })
}

both! {
    async fn a_task_runs_and_its_result_is_kept(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        let made = bed.tasks.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        let status = bed.tasks.wait(made.id, seconds(600)).await.unwrap();
        assert_eq!((status.state, status.result.as_deref()), (TaskState::Succeeded, Some("3")));
        assert_eq!((status.attempt, status.max_attempts, status.priority), (1, 3, 7));
        assert!(status.started_at.is_some() && status.finished_at.is_some());
        works.end().await;
    }

    async fn renaming_a_type_keeps_its_tasks(db: Db) {
        #[derive(Serialize, Deserialize)]
        struct Sum { a: u32, b: u32 }
        impl TypedTask for Sum {
            const NAME: &'static str = "add";
            type Output = u32;
        }
        let bed = Bed::new(db).await;
        let made = bed.tasks.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        let works = bed.work(Handlers::new().on(|_, task: Sum| async move { Ok(task.a * 10 + task.b) }), 4);
        bed.until_state(made.id, TaskState::Succeeded).await;
        assert_eq!(bed.status(made.id).await.result.as_deref(), Some("12"));
        works.end().await;
    }

    async fn the_worker_never_goes_quiet_while_work_is_ready(db: Db) {
        let bed = Bed::new(db).await;
        let list = (0..300).map(|number| new("add", &json!({ "a": number, "b": 1 })));
        let made = bed.tasks.create_many(list.collect()).await.unwrap();
        let works = bed.work(adds(), 4);
        // No time passes: nothing but the work itself leads to more work.
        for created in made {
            bed.until_state(created.id, TaskState::Succeeded).await;
        }
        works.end().await;
    }

    async fn work_from_another_process_starts_within_a_poll(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        let first = bed.tasks.new_task(Add { a: 1, b: 1 }).create().await.unwrap();
        bed.until_state(first.id, TaskState::Succeeded).await;
        let other = bed.another();
        let made = other.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        let before = bed.clock.now();
        bed.pass_until("the other's work is done", async || {
            bed.state(made.id).await == TaskState::Succeeded
        })
        .await;
        assert!(bed.status(made.id).await.started_at.unwrap().since(before) < seconds(10));
        works.end().await;
    }

    async fn scheduled_work_starts_at_its_time(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        let made = bed.tasks.new_task(Add { a: 1, b: 2 }).run_in(seconds(5)).create().await.unwrap();
        let due = bed.clock.now() + seconds(5);
        assert_eq!(bed.state(made.id).await, TaskState::Scheduled);
        bed.pass_until("it is done", async || bed.state(made.id).await == TaskState::Succeeded).await;
        assert!(bed.status(made.id).await.started_at.unwrap() >= due);
        works.end().await;
    }

    async fn free_slots_fill_while_one_task_runs_long(db: Db) {
        let bed = Bed::new(db).await;
        let release = CancellationToken::new();
        let handlers = adds().on_name("long", {
            let release = release.clone();
            move |_, _| {
                let release = release.clone();
                async move {
                    release.cancelled().await;
                    Ok(None)
                }
            }
        });
        let works = bed.work(handlers, 2);
        let long = bed.create("long").await;
        bed.until_state(long, TaskState::Running).await;
        for _ in 0..10 {
            let made = bed.tasks.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
            bed.until_state(made.id, TaskState::Succeeded).await;
        }
        assert_eq!(bed.state(long).await, TaskState::Running);
        release.cancel();
        bed.until_state(long, TaskState::Succeeded).await;
        works.end().await;
    }

    async fn never_more_run_at_once_than_there_are_slots(db: Db) {
        let bed = Bed::new(db).await;
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handlers = Handlers::new().on_name("n", {
            let (now, most) = (now.clone(), most.clone());
            move |_, _| {
                let (now, most) = (now.clone(), most.clone());
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    tokio::task::yield_now().await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(None)
                }
            }
        });
        let made = bed.tasks.create_many((0..50).map(|_| new("n", &json!({}))).collect()).await.unwrap();
        let works = bed.work(handlers, 3);
        for created in made {
            bed.until_state(created.id, TaskState::Succeeded).await;
        }
        assert!((1..=3).contains(&most.load(Ordering::SeqCst)));
        works.end().await;
    }

    async fn a_queue_with_limits_goes_on_without_any_time_passing(db: Db) {
        let bed = Bed::new(db).await;
        let limits = crate::QueueLimits { max_running: Some(2), ..crate::QueueLimits::default() };
        bed.tasks.set_limits(&crate::QueueName::default(), limits, None).await.unwrap();
        let made = bed.tasks.create_many((0..20).map(|_| new("add", &json!({ "a": 1, "b": 1 }))).collect());
        let made = made.await.unwrap();
        let works = bed.work(adds(), 16);
        for created in made {
            bed.until_state(created.id, TaskState::Succeeded).await;
        }
        works.end().await;
    }

    async fn a_database_error_does_not_end_the_worker(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        let first = bed.tasks.new_task(Add { a: 1, b: 1 }).create().await.unwrap();
        bed.until_state(first.id, TaskState::Succeeded).await;
        rename(&bed.db, "alter table task rename to task_away").await;
        // Every loop fails a few times.
        for _ in 0..20 {
            bed.clock.advance(seconds(1));
            tokio::task::yield_now().await;
        }
        rename(&bed.db, "alter table task_away rename to task").await;
        let made = bed.tasks.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        bed.pass_until("it works again", async || bed.state(made.id).await == TaskState::Succeeded).await;
        works.end().await;
    }

    async fn failures_of_long_ago_do_not_prolong_the_pause_where_all_places_are_full(db: Db) {
        let bed = Bed::new(db).await;
        let (first, second) = (bed.create("stay").await, bed.create("stay").await);
        let go = Arc::new(tokio::sync::Semaphore::new(0));
        let gone = go.clone();
        let handlers = Handlers::new().on_name("stay", move |_, _| {
            let go = gone.clone();
            async move {
                go.acquire().await.unwrap().forget();
                Ok(None)
            }
        });
        // What claims read, and completions do not.
        rename(&bed.db, "alter table task_queue rename to task_away").await;
        let works = bed.work(handlers, 1);
        let mut failures = 0;
        bed.pass_until("it fails many times", async || {
            failures += 1;
            failures == 100
        })
        .await;
        rename(&bed.db, "alter table task_away rename to task_queue").await;
        bed.pass_until("the only place is taken", async || bed.state(first).await == TaskState::Running).await;
        rename(&bed.db, "alter table task_queue rename to task_away").await;
        go.add_permits(1);
        bed.until_state(first, TaskState::Succeeded).await;
        let from = bed.clock.now();
        let mut polls = 0;
        bed.little_by_little("it fails anew", async || {
            polls += 1;
            polls == 20
        })
        .await;
        rename(&bed.db, "alter table task_away rename to task_queue").await;
        bed.little_by_little("it works again", async || bed.state(second).await == TaskState::Running).await;
        let after = bed.clock.now().since(from);
        assert!(after < seconds(4), "as long as after many failures: {after:?}");
        go.add_permits(1);
        works.end().await;
    }

    async fn no_two_processes_share_a_worker_id_and_who_leaves_is_taken_off_the_list(db: Db) {
        let bed = Bed::new(db).await;
        let works = [bed.work(adds(), 4), Works::start(&bed.another(), adds(), 5)];
        let sql = "select id from task_worker";
        let workers = async || -> Vec<String> {
            let mut conn = bed.db.read().await.unwrap();
            on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_all(c).await.unwrap())
        };
        eventually("both are listed", async || workers().await.len() == 2).await;
        for works in works {
            works.end().await;
        }
        assert!(workers().await.is_empty());
    }

    async fn a_worker_whose_sign_of_life_is_overdue_is_silent_on_the_list(db: Db) {
        let bed = Bed::new(db).await;
        let killed = Seen { id: "w", host: "h", pid: 1, queues: serde_json::json!({ "default": 1 }), running: 1 };
        let mut conn = bed.db.begin().await.unwrap();
        let now = crate::store::now(&bed.clock, &conn);
        seen(&mut conn, now, &killed).await.unwrap();
        conn.commit().await.unwrap();
        let silent = async || bed.tasks.list_workers().await.unwrap()[0].silent;
        let working = async || bed.tasks.queue_loads().await.unwrap().get("default").map_or(0, |load| load.workers);
        bed.clock.advance(seconds(120));
        assert_eq!((silent().await, working().await), (false, 1));
        bed.clock.advance(seconds(1));
        assert_eq!((silent().await, working().await), (true, 0));
    }

    async fn two_handlers_of_one_name_or_a_bad_queue_do_not_start(db: Db) {
        let bed = Bed::new(db).await;
        let run = |worker: Worker| worker.run_until(CancellationToken::new());
        let twice = Worker::new(bed.tasks.clone(), adds().and(adds()));
        assert!(matches!(run(twice).await, Err(Error::TwoHandlers(name)) if name == "add"));
        for (queue, slots) in [("a b", 1), ("a", 0), ("a", 1_001)] {
            let worker = Worker::new(bed.tasks.clone(), adds()).queue(queue, slots);
            assert!(matches!(run(worker).await, Err(Error::Invalid { .. })), "{queue} {slots}");
        }
    }
}

pub(super) async fn rename(db: &Db, sql: &'static str) {
    let mut conn = db.begin().await.unwrap();
    on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
    conn.commit().await.unwrap();
}

/// Handlers of one name that note when they began, and do what `then` says to each attempt.
fn noting(
    clock: &cgcg_testkit::TestClock,
    then: fn(u32) -> Result<Option<crate::Payload>, TaskError>,
) -> (Handlers, Arc<Mutex<Vec<cgcg_core::Timestamp>>>) {
    let began = Arc::new(Mutex::new(Vec::new()));
    let (clock, noted) = (clock.clone(), began.clone());
    let handlers = Handlers::new().on_name("n", move |ctx, _| {
        noted.lock().unwrap().push(clock.now());
        let attempt = ctx.attempt();
        async move { then(attempt) }
    });
    (handlers, began)
}

/// One task of the handlers called `n`, with so many attempts.
async fn made(bed: &Bed, attempts: u32) -> TaskId {
    let task = TaskCreate {
        max_attempts: Some(attempts),
        ..new("n", &json!({}))
    };
    bed.tasks.create(task).await.unwrap().id
}

#[test]
fn the_worker_reconnects_after_a_database_restart() {
    cgcg_testkit::run(async {
        let start = tokio::task::spawn_blocking(cgcg_testkit::PostgresServer::start).await;
        let Some(mut server) = start.unwrap() else {
            return cgcg_testkit::skip("no PostgreSQL");
        };
        let db = Db::connect(&server.url("postgres")).await.unwrap();
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        let first = bed
            .tasks
            .new_task(Add { a: 1, b: 1 })
            .create()
            .await
            .unwrap();
        bed.until_state(first.id, TaskState::Succeeded).await;
        let later = bed
            .tasks
            .new_task(Add { a: 1, b: 2 })
            .run_in(seconds(30))
            .create()
            .await
            .unwrap();
        let server = tokio::task::spawn_blocking(move || {
            server.kill();
            server.restart();
            server
        });
        let server = server.await.unwrap();
        let done = async || {
            let status = bed.tasks.get_task_status(later.id).await;
            status.is_ok_and(|status| status.unwrap().state == TaskState::Succeeded)
        };
        bed.pass_until("it works again", done).await;
        works.end().await;
        drop(bed);
        tokio::task::spawn_blocking(|| drop(server)).await.unwrap();
    });
}
