use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::json;

use super::super::{Bed, new, seconds};
use super::{Add, adds, made, noting};
use crate::{Handlers, Payload, TaskCreate, TaskError, TaskState};

both! {
    async fn a_failed_task_waits_for_its_back_off(db: Db) {
        let bed = Bed::new(db).await;
        let (handlers, began) = noting(&bed.clock, |attempt| match attempt {
            3 => Ok(None),
            _ => Err(TaskError::retry("no route to host").code("unreachable")),
        });
        let works = bed.work(handlers, 4);
        let id = made(&bed, 5).await;
        bed.pass_until("it is done", async || bed.state(id).await == TaskState::Succeeded).await;
        let began = began.lock().unwrap().clone();
        assert_eq!(began.len(), 3);
        assert!(began[1].since(began[0]).as_millis() >= 900);
        assert!(began[2].since(began[1]).as_millis() >= 1_800);
        let status = bed.status(id).await;
        let errors: Vec<_> = status.errors.iter().map(|error| (error.attempt, error.code.as_str())).collect();
        assert_eq!(errors, [(1, "unreachable"), (2, "unreachable")]);
        assert_eq!(status.errors[0].error.as_deref(), Some("no route to host"));
        works.end().await;
    }

    async fn the_last_attempt_ends_in_the_dead_letter(db: Db) {
        let bed = Bed::new(db).await;
        let (handlers, began) = noting(&bed.clock, |_| Err(std::io::Error::other("full").into()));
        let works = bed.work(handlers, 4);
        let id = made(&bed, 2).await;
        bed.pass_until("it has failed", async || bed.state(id).await == TaskState::Failed).await;
        assert_eq!(began.lock().unwrap().len(), 2);
        assert_eq!(bed.status(id).await.errors.len(), 2);
        works.end().await;
    }

    async fn a_handler_knows_the_trace_of_whoever_made_its_task(db: Db) {
        let bed = Bed::new(db).await;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let keyed = crate::QueueLimits { max_per_key: Some(1), ..crate::QueueLimits::default() };
        for limits in [crate::QueueLimits::default(), keyed] {
            bed.tasks.set_limits(&"default".parse().unwrap(), limits, None).await.unwrap();
            let made = bed.tasks.new_task(Add { a: 1, b: 2 }).trace(trace.parse().unwrap()).create().await.unwrap();
            let handlers = Handlers::new().on_name("add", |ctx, _| async move {
                Ok(Some(Payload::of(&ctx.traceparent()).unwrap()))
            });
            let works = bed.work(handlers, 4);
            bed.until_state(made.id, TaskState::Succeeded).await;
            assert_eq!(bed.status(made.id).await.result, Some(format!("\"{trace}\"")));
            works.end().await;
        }
    }

    async fn a_snooze_is_no_attempt(db: Db) {
        let bed = Bed::new(db).await;
        let (handlers, began) = noting(&bed.clock, |_| Err(TaskError::snooze(seconds(2))));
        let works = bed.work(handlers, 4);
        let id = made(&bed, 1).await;
        bed.pass_until("it was snoozed thrice", async || began.lock().unwrap().len() == 3).await;
        bed.until_state(id, TaskState::Scheduled).await;
        let status = bed.status(id).await;
        assert!(status.attempt == 0 && status.errors.is_empty());
        let began = began.lock().unwrap().clone();
        assert!(began[1].since(began[0]) >= seconds(2) && began[2].since(began[1]) >= seconds(2));
        works.end().await;
    }

    async fn what_would_never_be_better_fails_at_once(db: Db) {
        let bed = Bed::new(db).await;
        let handlers = adds()
            .on_name("dead", |_, _| async { Err(TaskError::dead("no such address").code("address_unknown")) })
            .on_name("large", |_, _| async { Ok(Some(Payload::of(&"x".repeat(300_000)).unwrap())) });
        let works = bed.work(handlers, 4);
        for (name, code) in [("add", "payload_invalid"), ("dead", "address_unknown"), ("large", "result_too_large")] {
            let id = bed.create(name).await;
            bed.until_state(id, TaskState::Failed).await;
            let status = bed.status(id).await;
            assert_eq!((status.attempt, status.errors[0].code.as_str()), (1, code));
        }
        works.end().await;
    }

    async fn a_panic_is_a_failed_attempt_and_hurts_nobody_else(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds().on_name("n", |_, _| async { panic!("secret") }), 4);
        let id = made(&bed, 1).await;
        bed.until_state(id, TaskState::Failed).await;
        let error = bed.status(id).await.errors.remove(0);
        assert_eq!((error.code.as_str(), error.error.as_deref()), ("panic", Some("the handler panicked")));
        let add = bed.tasks.create(new("add", &json!({ "a": 1, "b": 1 }))).await.unwrap();
        bed.until_state(add.id, TaskState::Succeeded).await;
        works.end().await;
    }

    async fn a_handler_is_ended_at_the_end_of_its_time(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(Handlers::new().on_name("n", |_, _| std::future::pending()), 4);
        let task = TaskCreate {
            max_attempts: Some(1),
            timeout: Some(seconds(3)),
            ..new("n", &json!({}))
        };
        let id = bed.tasks.create(task).await.unwrap().id;
        bed.until_state(id, TaskState::Running).await;
        bed.pass_until("it has failed", async || bed.state(id).await == TaskState::Failed).await;
        assert_eq!(bed.status(id).await.errors[0].code, "timeout");
        works.end().await;
    }

    async fn a_handler_knows_its_task_and_tells_how_far_it_is(db: Db) {
        let bed = Bed::new(db).await;
        let handlers = Handlers::new().on_name("n", |ctx, payload| async move {
            assert_eq!(payload.as_str(), "{}");
            assert_eq!((ctx.attempt(), ctx.max_attempts(), ctx.tick()), (1, 4, None));
            assert_eq!(ctx.token(), format!("{}:1", ctx.id()));
            assert!(ctx.time_left() > seconds(3_000));
            assert_eq!(ctx.blocking(|| 1 + 1).await?, 2);
            ctx.progress(150, "nearly");
            ctx.cancelled().cancelled().await;
            Err(TaskError::cancelled())
        });
        let works = bed.work(handlers, 4);
        let id = made(&bed, 4).await;
        bed.until_state(id, TaskState::Running).await;
        bed.pass_until("progress is seen", async || bed.status(id).await.progress.is_some()).await;
        let progress: serde_json::Value =
            serde_json::from_str(&bed.status(id).await.progress.unwrap()).unwrap();
        assert_eq!(progress, json!({ "pct": 100, "msg": "nearly" }));
        bed.tasks.cancel(id).await.unwrap();
        // The wish reaches the handler without any time passing.
        bed.until_state(id, TaskState::Cancelled).await;
        works.end().await;
    }

    async fn a_handler_that_does_not_hear_is_dropped_after_the_grace(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(Handlers::new().on_name("n", |_, _| std::future::pending()), 4);
        let id = made(&bed, 4).await;
        bed.until_state(id, TaskState::Running).await;
        bed.another().cancel(id).await.unwrap();
        bed.pass_until("it is cancelled", async || bed.state(id).await == TaskState::Cancelled).await;
        works.end().await;
    }
}
