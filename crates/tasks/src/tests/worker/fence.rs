use std::sync::{Arc, mpsc};

use cgcg_core::{Db, Engine, on};
use cgcg_testkit::{TestClock, both, eventually};
use tokio_util::sync::CancellationToken;

use super::super::{Bed, LEASE, done, seconds, settled};
use super::{Works, made, rename};
use crate::store;
use crate::store::lease::{Beaten, Fence, Next};
use crate::worker::leases::Leases;
use crate::{Handlers, Service, TaskId, TaskState};

/// Until when the lease of the only task goes, in microseconds.
async fn lease_until(bed: &Bed) -> Option<i64> {
    let mut conn = bed.db.read().await.unwrap();
    let sql = "select lease_until from task";
    on!(&mut conn, |c| sqlx::query_scalar(sql)
        .fetch_one(c)
        .await
        .unwrap())
}

/// Lets two leases of time pass, a turn of the keeper at a time, and sees the lease go on.
async fn lease_goes_on(bed: &Bed) {
    let first = lease_until(bed).await;
    let mut last = first;
    while last.unwrap() - first.unwrap() < 60_000_000 {
        // It beats each ten seconds. What is not yet beaten then may lose no time.
        for _ in 0..6 {
            bed.clock.wait_for_sleepers(1).await;
            bed.clock.advance(seconds(2));
        }
        eventually("the lease is renewed", async || {
            lease_until(bed).await > last
        })
        .await;
        last = lease_until(bed).await;
    }
}

both! {
    /// The answers and, on SQLite, large results were told apart by the row alone.
    async fn a_stale_completion_in_one_batch_with_the_right_one_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let stale = bed.claim_one("w").await;
        bed.settle("w", &stale, Next::Release).await;
        let right = bed.claim_one("w").await;
        let result = |text: &str| Some(format!("\"{}\"", text.repeat(2_000)));
        // Both wait for the writer that is held here, and are written together.
        let held = bed.db.begin().await.unwrap();
        let (in_time, late, ()) = tokio::join!(
            bed.tasks.complete(done("w", &right, result("b").as_deref())),
            bed.tasks.complete(done("w", &stale, result("a").as_deref())),
            async { drop(held) },
        );
        assert_eq!((in_time.unwrap(), late.unwrap()), (true, false));
        assert_eq!(bed.status(id).await.result, result("b"));
    }

    /// With some plans of PostgreSQL, and on SQLite, the last one stood.
    async fn of_two_ends_of_one_execution_in_one_batch_the_first_stands(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let task = bed.claim_one("w").await;
        let twice = ["1", "2"].map(|result| done("w", &task, Some(result)));
        let mut conn = bed.db.begin().await.unwrap();
        let now = store::now(&bed.clock, &conn);
        assert_eq!(store::lease::complete(&mut conn, now, true, &twice).await.unwrap().len(), 1);
        conn.commit().await.unwrap();
        assert_eq!(bed.status(id).await.result.as_deref(), Some("1"));
        let id = bed.create("n").await;
        let task = bed.claim_one("w").await;
        let twice = [Next::Fail, Next::Release].map(|next| settled("w", &task, next));
        let mut conn = bed.db.begin().await.unwrap();
        let now = store::now(&bed.clock, &conn);
        assert_eq!(store::lease::settle(&mut conn, now, &twice).await.unwrap().len(), 1);
        conn.commit().await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Failed);
    }

    async fn a_stale_failure_in_one_batch_with_the_right_one_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let stale = bed.claim_one("w").await;
        bed.settle("w", &stale, Next::Release).await;
        let right = bed.claim_one("w").await;
        let held = bed.db.begin().await.unwrap();
        let (late, in_time, ()) = tokio::join!(
            bed.settle("w", &stale, Next::Fail),
            bed.settle("w", &right, Next::Snooze(seconds(1))),
            async { drop(held) },
        );
        assert!(late.is_none() && in_time.is_some());
        assert_eq!(bed.state(id).await, TaskState::Scheduled);
    }

    async fn a_lost_lease_stops_the_handler_and_its_result_is_thrown_away(db: Db) {
        let bed = Bed::new(db).await;
        let (begun, stopped) = (CancellationToken::new(), CancellationToken::new());
        let handlers = Handlers::new().on_name("n", {
            let (begun, stopped) = (begun.clone(), stopped.clone());
            move |ctx, _| {
                let (begun, stopped) = (begun.clone(), stopped.clone());
                async move {
                    let _told = stopped.drop_guard();
                    begun.cancel();
                    ctx.cancelled().cancelled().await;
                    Ok(None)
                }
            }
        });
        let works = bed.work(handlers, 4);
        let id = made(&bed, 4).await;
        begun.cancelled().await;
        rename(&bed.db, "update task set worker = 'another', lease = lease + 1").await;
        bed.pass_until("the handler is stopped", async || stopped.is_cancelled()).await;
        assert_eq!(bed.state(id).await, TaskState::Running);
        works.end().await;
        assert_eq!(bed.state(id).await, TaskState::Running);
    }

    async fn a_blocking_handler_keeps_its_lease(db: Db) {
        let bed = Bed::new(db).await;
        let (begun, began) = mpsc::channel();
        let (release, released) = mpsc::channel::<()>();
        let released = Arc::new(std::sync::Mutex::new(released));
        // A runtime of two threads, all blocked by handlers.
        let (db, clock, settings) = (bed.db.clone(), bed.clock.clone(), bed.tasks.settings().clone());
        let blocked = std::thread::spawn(move || {
            cgcg_testkit::run(async move {
                let tasks = Service::new(db.apart(), Arc::new(clock), settings);
                let handlers = Handlers::new().on_name("n", move |_, _| {
                    let (begun, released) = (begun.clone(), released.clone());
                    async move {
                        begun.send(()).unwrap();
                        let _ = released.lock().unwrap().recv();
                        Ok(None)
                    }
                });
                let works = Works::start(&tasks, handlers, 1);
                let id = made(&Bed { db: db.apart(), clock: TestClock::default(), tasks: tasks.clone() }, 4).await;
                tasks.wait(id, seconds(86_400)).await.unwrap();
                works.end().await;
            });
        });
        tokio::task::spawn_blocking(move || began.recv().unwrap()).await.unwrap();
        lease_goes_on(&bed).await;
        drop(release);
        tokio::task::spawn_blocking(|| blocked.join().unwrap()).await.unwrap();
    }

    async fn beats_go_on_while_results_wait_to_be_written(db: Db) {
        let bed = Bed::new(db).await;
        if bed.db.engine() == Engine::Sqlite {
            // One writer: beats wait with the results, and so does whoever would take leases away.
            return;
        }
        let release = CancellationToken::new();
        let handlers = Handlers::new().on_name("n", {
            let release = release.clone();
            move |_, _| {
                let release = release.clone();
                async move {
                    release.cancelled().await;
                    Ok(None)
                }
            }
        });
        let works = bed.work(handlers, 4);
        let id = made(&bed, 4).await;
        bed.until_state(id, TaskState::Running).await;
        let reader = bed.db.apart();
        let bed = Bed { db: reader, clock: bed.clock.clone(), tasks: bed.tasks.clone() };
        // All connections of the pool are taken: the result cannot be written.
        let mut taken = Vec::new();
        for _ in 0..10 {
            taken.push(bed.tasks.db().read().await.unwrap());
        }
        release.cancel();
        lease_goes_on(&bed).await;
        drop(taken);
        bed.pass_until("it is written", async || bed.state(id).await == TaskState::Succeeded).await;
        works.end().await;
    }
}

#[test]
fn a_prefetched_task_without_lease_does_not_start() {
    let clock = TestClock::default();
    let leases = Leases::new(Arc::new(clock.clone()), LEASE, seconds(10));
    let id = TaskId::new(cgcg_core::Clock::now(&clock));
    let fence = Fence {
        id,
        seq: 1,
        lease: 1,
    };
    let hold = || leases.hold(fence, seconds(0), CancellationToken::new());
    clock.advance(seconds(24));
    assert!(hold().is_some());
    clock.advance(seconds(1));
    // Five sixths of its time are over.
    assert!(hold().is_none());
}

#[test]
fn a_lease_is_trusted_from_before_the_last_sign_of_life_that_was_taken() {
    let clock = TestClock::default();
    let leases = Leases::new(Arc::new(clock.clone()), LEASE, seconds(10));
    let id = TaskId::new(cgcg_core::Clock::now(&clock));
    let fence = Fence {
        id,
        seq: 1,
        lease: 1,
    };
    let signals = leases
        .hold(fence, seconds(0), CancellationToken::new())
        .unwrap();
    assert!(leases.due().is_empty());
    clock.advance(seconds(10));
    let due = leases.due();
    assert_eq!((due.len(), due[0].fence), (1, fence));
    clock.advance(seconds(5));
    let beaten = |renewed| {
        [Beaten {
            seq: 1,
            cancel_requested: false,
            renewed,
        }]
    };
    leases.beaten(&due, &beaten(true), seconds(10));
    clock.advance(seconds(19));
    assert!(leases.trusted(fence) && !signals.stop.is_cancelled());
    // Somebody else holds its row: the trust does not grow.
    let due = leases.due();
    leases.beaten(&due, &beaten(false), seconds(34));
    clock.advance(seconds(1));
    assert!(!leases.trusted(fence));
    assert!(leases.due().is_empty());
    assert!(
        signals.lost.is_cancelled() && signals.stop.is_cancelled() && !signals.asked.is_cancelled()
    );
}
