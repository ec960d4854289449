use cgcg_core::{Clock, Db, on};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, new, seconds};
use crate::store::lease::Next;
use crate::{Cancelled, Error, TaskCreate, TaskId, TaskState, TaskUpdate};

both! {
    async fn waiting_work_is_cancelled_at_once(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        assert_eq!(bed.tasks.cancel(id).await.unwrap(), Cancelled::AtOnce);
        let status = bed.status(id).await;
        assert_eq!((status.state, status.finished_at), (TaskState::Cancelled, Some(bed.clock.now())));
        assert!(bed.claim("w").await.is_empty());
        assert!(matches!(bed.tasks.cancel(id).await, Err(Error::Finished(TaskState::Cancelled))));
        let nobody = TaskId::new(bed.clock.now());
        assert!(matches!(bed.tasks.cancel(nobody).await, Err(Error::NotFound)));
    }

    async fn running_work_is_asked_and_ends_as_cancelled_unless_it_succeeds(db: Db) {
        let bed = Bed::new(db).await;
        for (next, state) in [
            (Some(Next::Retry(seconds(1))), TaskState::Cancelled),
            (Some(Next::Snooze(seconds(1))), TaskState::Cancelled),
            (Some(Next::Release), TaskState::Cancelled),
            (Some(Next::Fail), TaskState::Cancelled),
            (None, TaskState::Succeeded),
        ] {
            let id = bed.create("n").await;
            let task = bed.claim_one("w").await;
            assert_eq!(bed.tasks.cancel(id).await.unwrap(), Cancelled::Asked);
            let status = bed.status(id).await;
            assert_eq!((status.state, status.cancel_requested), (TaskState::Running, true));
            match next {
                Some(next) => assert!(bed.settle("w", &task, next).await.is_some()),
                None => assert!(bed.complete("w", &task).await),
            }
            assert_eq!(bed.state(id).await, state, "{next:?}");
        }
    }

    async fn a_dead_letter_runs_again_from_its_first_attempt_with_a_new_lease(db: Db) {
        let bed = Bed::new(db).await;
        for swept in [false, true] {
            let id = bed.create("n").await;
            let first = bed.claim_one("w").await;
            bed.settle("w", &first, Next::Fail).await.unwrap();
            if swept {
                bed.tasks.sweep().await.unwrap();
            }
            let status = bed.status(id).await;
            assert_eq!((status.state, status.errors.len()), (TaskState::Failed, 1));
            bed.tasks.retry(id).await.unwrap();
            // Twice asked is as good as once.
            bed.tasks.retry(id).await.unwrap();
            let second = bed.claim_one("w").await;
            assert_eq!((second.id, second.attempt, second.lease), (id, 1, first.lease + 1));
            assert!(!bed.complete("w", &first).await);
            assert!(matches!(bed.tasks.retry(id).await, Err(Error::Running)));
            assert!(bed.complete("w", &second).await);
            assert!(matches!(bed.tasks.retry(id).await, Err(Error::NotRetryable)));
        }
        let nobody = TaskId::new(bed.clock.now());
        assert!(matches!(bed.tasks.retry(nobody).await, Err(Error::NotFound)));
    }

    async fn a_retry_is_refused_while_another_task_has_the_unique_key(db: Db) {
        let bed = Bed::new(db).await;
        let unique = || TaskCreate { unique_key: Some("k".to_owned()), ..new("n", &json!({})) };
        let first = bed.tasks.create(unique()).await.unwrap().id;
        bed.tasks.cancel(first).await.unwrap();
        let second = bed.tasks.create(unique()).await.unwrap().id;
        for _ in 0..2 {
            let refused = bed.tasks.retry(first).await.unwrap_err();
            assert!(matches!(refused, Error::UniqueKeyTaken { existing: Some(id) } if id == second), "{refused}");
            bed.tasks.sweep().await.unwrap();
        }
        bed.tasks.cancel(second).await.unwrap();
        bed.tasks.retry(first).await.unwrap();
        assert_eq!(bed.claim_one("w").await.id, first);
    }

    async fn a_retry_of_scheduled_work_means_now(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let task = bed.claim_one("w").await;
        bed.settle("w", &task, Next::Retry(seconds(3_600))).await.unwrap();
        assert!(bed.claim("w").await.is_empty());
        bed.tasks.retry(id).await.unwrap();
        assert_eq!(bed.claim_one("w").await.attempt, 2);
    }

    async fn only_work_that_waits_is_rescheduled(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let later = bed.clock.now() + seconds(60);
        let change = TaskUpdate { run_at: Some(later), priority: Some(7) };
        bed.tasks.reschedule(id, change).await.unwrap();
        let status = bed.status(id).await;
        assert_eq!((status.state, status.run_at, status.priority), (TaskState::Scheduled, later, 7));
        let now = TaskUpdate { run_at: Some(bed.clock.now()), priority: None };
        let status = bed.tasks.reschedule(id, now).await.unwrap();
        assert_eq!((status.state, status.priority), (TaskState::Ready, 7));
        let far = TaskUpdate { run_at: Some(later + seconds(6 * 366 * 86_400)), priority: None };
        assert!(matches!(bed.tasks.reschedule(id, far).await, Err(Error::Invalid { field: "run_at", .. })));
        let task = bed.claim_one("w").await;
        assert!(matches!(bed.tasks.reschedule(id, now).await, Err(Error::Running)));
        assert!(bed.complete("w", &task).await);
        assert!(matches!(bed.tasks.reschedule(id, now).await, Err(Error::Finished(TaskState::Succeeded))));
        let nobody = TaskId::new(bed.clock.now());
        assert!(matches!(bed.tasks.reschedule(nobody, now).await, Err(Error::NotFound)));
    }

    async fn only_work_that_has_ended_is_deleted_with_its_blobs(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.tasks.create(new("n", &json!("x".repeat(2_000)))).await.unwrap().id;
        assert!(matches!(bed.tasks.delete(id).await, Err(Error::NotFinished)));
        let task = bed.claim_one("w").await;
        assert!(matches!(bed.tasks.delete(id).await, Err(Error::Running)));
        assert!(bed.complete("w", &task).await);
        bed.tasks.delete(id).await.unwrap();
        assert!(matches!(bed.tasks.delete(id).await, Err(Error::NotFound)));
        assert_eq!(bed.tasks.get_task_status(id).await.unwrap(), None);
        if bed.db.engine() == cgcg_core::Engine::Sqlite {
            let sql = "select count(*) from task_blob";
            let mut conn = bed.db.read().await.unwrap();
            let blobs: i64 = on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_one(c).await.unwrap());
            assert_eq!(blobs, 0);
        }
    }
}
