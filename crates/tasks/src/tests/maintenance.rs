use cgcg_core::{Clock, Db, Engine, Span, on};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, LEASE, new, seconds};
use crate::service::tend::rescue::Guard;
use crate::store::lease::{Beat, Next, beat};
use crate::store::tend;
use crate::{Settings, TaskCreate, TaskState};

/// A rescuer that has looked once.
async fn rescuer(bed: &Bed) -> Guard {
    let mut guard = Guard::default();
    bed.tasks.rescue(&mut guard).await.unwrap();
    guard
}

both! {
    async fn a_task_that_kills_its_worker_ends_in_the_dead_letter(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let task = TaskCreate { max_attempts: Some(3), ..new("n", &json!({})) };
        let id = bed.tasks.create(task).await.unwrap().id;
        for attempt in 1..=3 {
            let task = bed.claim_one(&format!("w{attempt}")).await;
            assert_eq!((task.attempt, task.lease), (attempt, i64::from(attempt)));
            bed.clock.advance(LEASE);
            bed.tasks.rescue(&mut guard).await.unwrap();
            assert_eq!(bed.state(id).await, TaskState::Running, "its lease is not over yet");
            bed.clock.advance(seconds(1));
            bed.tasks.rescue(&mut guard).await.unwrap();
            bed.pass(seconds(3_600)).await;
        }
        assert!(bed.claim("w").await.is_empty());
        let status = bed.status(id).await;
        assert_eq!((status.state, status.attempt), (TaskState::Failed, 3));
        let errors: Vec<_> = status.errors.iter().map(|error| (error.attempt, error.code.as_str())).collect();
        assert_eq!(errors, [(1, "lease_expired"), (2, "lease_expired"), (3, "lease_expired")]);
        assert_eq!(status.errors[2].worker.as_deref(), Some("w3"));
    }

    async fn a_long_task_with_a_live_worker_is_never_rescued(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let task = TaskCreate { timeout: Some(seconds(86_400)), ..new("n", &json!({})) };
        let id = bed.tasks.create(task).await.unwrap().id;
        let task = bed.claim_one("w").await;
        for _ in 0..400 {
            bed.clock.advance(seconds(29));
            let mut conn = bed.db.begin().await.unwrap();
            let now = crate::store::now(&bed.clock, &conn);
            let beats = [Beat { fence: task.fence(), progress: None }];
            assert_eq!(beat(&mut conn, now, LEASE, "w", &beats).await.unwrap().len(), 1);
            conn.commit().await.unwrap();
            bed.tasks.rescue(&mut guard).await.unwrap();
        }
        assert_eq!(bed.state(id).await, TaskState::Running);
        assert!(bed.complete("w", &task).await);
    }

    async fn one_that_beats_for_ever_ends_at_its_hard_deadline(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let task = TaskCreate { timeout: Some(seconds(20)), ..new("n", &json!({})) };
        let id = bed.tasks.create(task).await.unwrap().id;
        bed.claim_one("w").await;
        bed.clock.advance(seconds(20));
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Running);
        bed.clock.advance(seconds(1));
        bed.tasks.rescue(&mut guard).await.unwrap();
        let status = bed.status(id).await;
        assert_eq!((status.state, status.errors[0].code.as_str()), (TaskState::Scheduled, "timeout"));
    }

    async fn a_lost_task_that_was_asked_to_stop_ends_as_cancelled(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let id = bed.create("n").await;
        bed.claim_one("w").await;
        bed.tasks.cancel(id).await.unwrap();
        bed.clock.advance(seconds(31));
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Cancelled);
    }

    async fn a_clock_that_steps_ahead_takes_nobodys_lease_for_one_lease(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let id = bed.create("n").await;
        bed.claim_one("w").await;
        bed.clock.set(bed.clock.now() + seconds(3_000));
        bed.tasks.rescue(&mut guard).await.unwrap();
        bed.clock.advance(seconds(29));
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Running);
        bed.clock.advance(seconds(1));
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Scheduled);
    }

    async fn a_clock_that_steps_ahead_ends_nobodys_time(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let task = TaskCreate { timeout: Some(seconds(100)), ..new("n", &json!({})) };
        let id = bed.tasks.create(task).await.unwrap().id;
        let task = bed.claim_one("w").await;
        bed.clock.advance(seconds(10));
        bed.tasks.rescue(&mut guard).await.unwrap();
        bed.clock.set(bed.clock.now() + seconds(7_200));
        // 10 s were over before the step; 90 s are left.
        for _ in 0..10 {
            let mut conn = bed.db.begin().await.unwrap();
            let now = crate::store::now(&bed.clock, &conn);
            let beats = [Beat { fence: task.fence(), progress: None }];
            beat(&mut conn, now, LEASE, "w", &beats).await.unwrap();
            conn.commit().await.unwrap();
            bed.tasks.rescue(&mut guard).await.unwrap();
            assert_eq!(bed.state(id).await, TaskState::Running);
            bed.clock.advance(seconds(10));
        }
        bed.tasks.rescue(&mut guard).await.unwrap();
        let status = bed.status(id).await;
        assert_eq!((status.state, status.errors[0].code.as_str()), (TaskState::Scheduled, "timeout"));
    }

    async fn a_lease_from_before_the_clock_went_back_does_not_last_for_ever(db: Db) {
        let bed = Bed::new(db).await;
        let mut guard = rescuer(&bed).await;
        let id = bed.create("n").await;
        bed.claim_one("w").await;
        bed.clock.set(bed.clock.now() - seconds(86_400));
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Running, "its holder may live, and beat");
        bed.clock.advance(LEASE);
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Scheduled);
    }

    async fn the_first_look_of_a_rescuer_takes_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        bed.claim_one("w").await;
        bed.clock.advance(seconds(60));
        let mut guard = rescuer(&bed).await;
        assert_eq!(bed.state(id).await, TaskState::Running);
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Scheduled);
    }

    async fn purge_keeps_what_is_younger(db: Db) {
        let settings = Settings {
            keep_succeeded: Span::minutes(10),
            keep_cancelled: Span::minutes(20),
            keep_failed: Span::minutes(30),
            ..Settings::default()
        };
        let bed = Bed::with(db, settings).await;
        let mut ids = Vec::new();
        for _ in 0..2 {
            let succeeded = bed.create("n").await;
            assert!(bed.complete("w", &bed.claim_one("w").await).await);
            let failed = bed.create("n").await;
            bed.settle("w", &bed.claim_one("w").await, Next::Fail).await.unwrap();
            let cancelled = bed.create("n").await;
            bed.tasks.cancel(cancelled).await.unwrap();
            ids.push([succeeded, cancelled, failed]);
            bed.clock.advance(seconds(300));
        }
        bed.tasks.sweep().await.unwrap();
        let waits = bed.create("n").await;
        let mut left = Vec::new();
        for _ in 0..8 {
            bed.tasks.purge().await.unwrap();
            let mut there = Vec::new();
            for id in ids.iter().flatten() {
                there.push(bed.tasks.get_task_status(*id).await.unwrap().is_some());
            }
            left.push(there.iter().filter(|there| **there).count());
            bed.clock.advance(seconds(300));
        }
        // Kept for 10, 20 and 30 minutes to the microsecond; made at 0 and 5; looked at from 10 on, each 5 minutes.
        assert_eq!(left, [6, 5, 4, 3, 2, 1, 0, 0]);
        assert_eq!(bed.state(waits).await, TaskState::Ready);
    }

    async fn days_of_ended_tasks_are_made_ahead_and_dropped_when_nothing_in_them_is_kept(db: Db) {
        let bed = Bed::new(db).await;
        if bed.db.engine() == Engine::Sqlite {
            return;
        }
        bed.tasks.purge().await.unwrap();
        let days = || async { tend::days(&mut bed.db.read().await.unwrap()).await.unwrap() };
        let first = days().await;
        assert_eq!(first.len(), 8);
        let id = bed.create("n").await;
        assert!(bed.complete("w", &bed.claim_one("w").await).await);
        let sql = "select tableoid::regclass::text from task_done where id = $1";
        let mut conn = bed.db.read().await.unwrap();
        let table: String =
            on!(&mut conn, |c| sqlx::query_scalar(sql).bind(id).fetch_one(c).await.unwrap());
        assert_eq!(table, format!("task_done_d{}", first[0]));
        drop(conn);
        bed.clock.advance(seconds(31 * 86_400));
        bed.tasks.purge().await.unwrap();
        assert!(bed.tasks.get_task_status(id).await.unwrap().is_none());
        let now = days().await;
        assert!(!now.contains(&first[0]) && now.contains(&(first[0] + 31)), "{now:?}");
    }

    async fn what_is_due_is_made_ready_and_no_sooner(db: Db) {
        let bed = Bed::new(db).await;
        for delay in [5, 3_600] {
            let task = TaskCreate { delay: Some(seconds(delay)), ..new("n", &json!({})) };
            bed.tasks.create(task).await.unwrap();
        }
        assert_eq!(bed.tasks.promote().await.unwrap(), seconds(5));
        bed.clock.advance(seconds(4));
        assert_eq!(bed.tasks.promote().await.unwrap(), seconds(1));
        assert!(bed.claim("w").await.is_empty());
        bed.clock.advance(seconds(1));
        assert_eq!(bed.tasks.promote().await.unwrap(), seconds(3_595));
        assert_eq!(bed.claim("w").await.len(), 1);
    }
}
