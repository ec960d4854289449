use std::sync::Arc;

use cgcg_core::{Clock, Db, NewTask, SeamError, TaskQueue, Timestamp, on};
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Bed, done, new, seconds};
use crate::{Error, Payload, TaskCreate, TaskId, TaskState};

fn unique(key: &str) -> TaskCreate {
    TaskCreate {
        unique_key: Some(key.to_owned()),
        ..new("n", &json!({}))
    }
}

/// The field and the code of a refusal.
async fn refused(bed: &Bed, new: TaskCreate) -> (&'static str, &'static str) {
    match bed.tasks.create(new).await {
        Err(Error::Invalid { field, invalid }) => (field, invalid.code),
        other => panic!("{other:?}"),
    }
}

both! {
    async fn a_task_waits_with_what_the_settings_say(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("mail.send").await;
        let status = bed.status(id).await;
        assert_eq!((status.id, status.state), (id, TaskState::Ready));
        assert_eq!((status.name.as_str(), status.queue.as_str()), ("mail.send", "default"));
        assert_eq!((status.attempt, status.max_attempts, status.priority), (0, 20, 100));
        assert_eq!((status.created_at, status.run_at), (bed.clock.now(), bed.clock.now()));
        assert_eq!((status.started_at, status.finished_at, status.result), (None, None, None));
        let nobody = TaskId::new(bed.clock.now());
        assert_eq!(bed.tasks.get_task_status(nobody).await.unwrap(), None);
    }

    async fn payloads_and_results_come_back_byte_for_byte_in_every_size(db: Db) {
        let bed = Bed::new(db).await;
        for size in [0, 1_000, 1_024, 1_025, 200_000] {
            let text = format!("{{ \"b\" : \"ä\\u0000\\n{}\",\"a\":1.0 }}", "x".repeat(size));
            let payload = Payload::parse(text.clone()).unwrap();
            let id = bed.tasks.create(TaskCreate::new("n".parse().unwrap(), payload)).await.unwrap().id;
            let task = bed.claim_one("w").await;
            assert_eq!(task.payload.as_deref(), Some(text.as_bytes()), "{size}");
            assert!(bed.tasks.complete(done("w", &task, Some(&text))).await.unwrap());
            assert_eq!(bed.status(id).await.result, Some(text), "{size}");
        }
    }

    async fn one_duplicate_does_not_fail_the_batch(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.tasks.create(unique("2")).await.unwrap();
        let list = (0..100).map(|number| unique(&(number % 50).to_string())).collect();
        let created = bed.tasks.create_many(list).await.unwrap();
        assert_eq!(created.len(), 100);
        assert_eq!(created[2].id, first.id);
        for number in 0..50 {
            assert_eq!(created[number].id, created[number + 50].id);
            assert_eq!(created[number].existing, number == 2);
            assert!(created[number + 50].existing);
        }
    }

    async fn a_unique_key_is_free_again_after_the_end_and_no_other_name_meets_it(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.tasks.create(unique("k")).await.unwrap();
        let other_name = TaskCreate { unique_key: Some("k".to_owned()), ..new("other", &json!({})) };
        let other_owner = TaskCreate { owner: "ada".to_owned(), ..unique("k") };
        assert!(!bed.tasks.create(other_name).await.unwrap().existing);
        assert!(!bed.tasks.create(other_owner).await.unwrap().existing);
        let again = bed.tasks.create(unique("k")).await.unwrap();
        assert_eq!((again.id, again.existing), (first.id, true));
        bed.tasks.cancel(first.id).await.unwrap();
        let next = bed.tasks.create(unique("k")).await.unwrap();
        assert!(!next.existing && next.id != first.id);
    }

    async fn a_key_can_be_taken_for_a_time_whatever_becomes_of_its_task(db: Db) {
        let bed = Bed::new(db).await;
        let hourly = || TaskCreate { unique_for: Some(seconds(3_600)), ..unique("k") };
        let first = bed.tasks.create(hourly()).await.unwrap();
        bed.tasks.cancel(first.id).await.unwrap();
        bed.clock.advance(seconds(3_600));
        let again = bed.tasks.create(hourly()).await.unwrap();
        assert_eq!((again.id, again.existing), (first.id, true));
        bed.clock.advance(seconds(1));
        let both = bed.tasks.create_many(vec![hourly(), hourly()]).await.unwrap();
        assert!(!both[0].existing && both[0].id != first.id);
        assert_eq!((both[1].id, both[1].existing), (both[0].id, true));
        // A live task keeps the key also from one that would only begin a window.
        bed.clock.advance(seconds(3_601));
        assert_eq!(bed.tasks.create(hourly()).await.unwrap().id, both[0].id);
        bed.tasks.cancel(both[0].id).await.unwrap();
        assert_eq!(bed.tasks.create(hourly()).await.unwrap().id, both[0].id);
    }

    async fn of_many_who_create_with_one_key_at_once_one_makes_the_task(db: Db) {
        let bed = Bed::new(db).await;
        let services = [bed.tasks.clone(), bed.another(), bed.another()];
        let create = |number: usize| {
            let tasks = services[number % 3].clone();
            tokio::spawn(async move { tasks.create(unique("k")).await.unwrap() })
        };
        let creators: Vec<_> = (0..60).map(create).collect();
        let mut made = Vec::new();
        for creator in creators {
            made.push(creator.await.unwrap());
        }
        assert_eq!(made.iter().filter(|made| !made.existing).count(), 1);
        assert!(made.iter().all(|other| other.id == made[0].id));
    }

    async fn a_list_of_thousands_is_stored_in_its_order(db: Db) {
        let bed = Bed::new(db).await;
        let list = (0..2_345).map(|number| new("n", &json!(number))).collect();
        let created = bed.tasks.create_many(list).await.unwrap();
        assert_eq!(created.len(), 2_345);
        assert!(bed.tasks.create_many(Vec::new()).await.unwrap().is_empty());
        let mut seen = 0;
        loop {
            let tasks = bed.claim("w").await;
            for task in &tasks {
                assert_eq!(task.id, created[seen].id);
                assert_eq!(task.payload.as_deref(), Some(seen.to_string().as_bytes()));
                seen += 1;
            }
            if tasks.is_empty() {
                break;
            }
        }
        assert_eq!(seen, 2_345);
    }

    async fn a_task_made_in_a_transaction_is_there_if_that_commits(db: Db) {
        let bed = Bed::new(db).await;
        let mut conn = bed.db.begin().await.unwrap();
        let lost = bed.tasks.create_in(&mut conn, unique("k")).await.unwrap();
        drop(conn);
        let mut conn = bed.db.begin().await.unwrap();
        let kept = bed.tasks.create_in(&mut conn, unique("k")).await.unwrap();
        conn.commit().await.unwrap();
        assert_eq!(bed.tasks.get_task_status(lost.id).await.unwrap(), None);
        assert_eq!(bed.state(kept.id).await, TaskState::Ready);
        let folder = cgcg_testkit::folder();
        let other = cgcg_testkit::sqlite(&folder).await;
        let mut conn = other.begin().await.unwrap();
        let refused = bed.tasks.create_in(&mut conn, unique("k")).await;
        assert!(matches!(refused, Err(Error::OtherDatabase)));
    }

    async fn other_features_reach_it_through_the_seam(db: Db) {
        let bed = Bed::new(db).await;
        let queue: Arc<dyn TaskQueue> = Arc::new(bed.tasks.clone());
        let id = queue.create_task("n", json!({ "a": 1 })).await.unwrap();
        let status = queue.get_task_status(id).await.unwrap().unwrap();
        assert_eq!(status.state, TaskState::Ready);
        let in_an_hour = NewTask {
            name: "n".into(),
            payload: Value::Null,
            run_at: Some(bed.clock.now() + seconds(3_600)),
            unique_key: Some("k".to_owned()),
        };
        let mut conn = bed.db.begin().await.unwrap();
        let id = queue.create_task_in(&mut conn, in_an_hour).await.unwrap();
        conn.commit().await.unwrap();
        assert_eq!(bed.state(id).await, TaskState::Scheduled);
        let refused = queue.create_task("no spaces", Value::Null).await.unwrap_err();
        assert!(matches!(refused, SeamError::Refused { code: "name_invalid", .. }), "{refused}");
    }

    async fn what_does_not_fit_is_refused_and_nothing_is_stored(db: Db) {
        let bed = Bed::new(db).await;
        let fine = || new("n", &json!({}));
        let now = bed.clock.now();
        let table = [
            (TaskCreate { priority: Some(-1), ..fine() }, ("priority", "out_of_range")),
            (TaskCreate { priority: Some(1_000), ..fine() }, ("priority", "out_of_range")),
            (TaskCreate { max_attempts: Some(0), ..fine() }, ("max_attempts", "out_of_range")),
            (TaskCreate { max_attempts: Some(101), ..fine() }, ("max_attempts", "out_of_range")),
            (TaskCreate { timeout: Some(seconds(0)), ..fine() }, ("timeout", "out_of_range")),
            (TaskCreate { timeout: Some(seconds(604_801)), ..fine() }, ("timeout", "out_of_range")),
            (TaskCreate { run_at: Some(now), delay: Some(seconds(1)), ..fine() }, ("run_at", "run_at_ambiguous")),
            (TaskCreate { delay: Some(seconds(6 * 366 * 86_400)), ..fine() }, ("delay", "run_at_too_far")),
            (TaskCreate { owner: "a\0".to_owned(), ..fine() }, ("owner", "text_invalid")),
            (TaskCreate { concurrency_key: Some(String::new()), ..fine() }, ("concurrency_key", "key_empty")),
            (TaskCreate { concurrency_key: Some("a\0".to_owned()), ..fine() }, ("concurrency_key", "text_invalid")),
            (unique(""), ("unique_key", "key_empty")),
            (unique(&"k".repeat(257)), ("unique_key", "key_too_long")),
            (unique("a\0"), ("unique_key", "text_invalid")),
            (TaskCreate { unique_for: Some(seconds(1)), ..fine() }, ("unique_for", "unique_key_missing")),
            (TaskCreate { unique_for: Some(seconds(604_801)), ..unique("k") }, ("unique_for", "out_of_range")),
        ];
        for (new, why) in table {
            assert_eq!(refused(&bed, new.clone()).await, why);
            // One that does not fit keeps its neighbours out as well.
            assert!(bed.tasks.create_many(vec![fine(), new]).await.is_err());
        }
        let large = new("n", &json!("x".repeat(256 * 1_024)));
        assert!(matches!(bed.tasks.create(large).await, Err(Error::TooLarge { limit: 262_144 })));
        for name in ["", "a b", "ä", &"n".repeat(129)] {
            let refused = bed.tasks.create_task(name, &()).await;
            assert!(matches!(refused, Err(Error::Invalid { field: "name", .. })), "{name}");
        }
        let sql = "select count(*) from task";
        let mut conn = bed.db.read().await.unwrap();
        let count: i64 = on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_one(c).await.unwrap());
        assert_eq!(count, 0);
    }

    async fn sixty_writers_never_see_database_is_locked(db: Db) {
        let bed = Bed::new(db).await;
        let writers = (0..60).map(|number| {
            let (db, tasks) = (bed.db.clone(), bed.tasks.clone());
            tokio::spawn(async move {
                for _ in 0..5 {
                    if number % 3 == 0 {
                        let mut conn = db.begin().await.unwrap();
                        tasks.create_in(&mut conn, new("n", &json!({}))).await.unwrap();
                        conn.commit().await.unwrap();
                    } else {
                        let id = tasks.create_task("n", &json!({})).await.unwrap();
                        assert!(tasks.get_task_status(id).await.unwrap().is_some());
                    }
                }
            })
        });
        for writer in writers.collect::<Vec<_>>() {
            writer.await.unwrap();
        }
    }
}

both! {
    async fn what_was_due_long_ago_is_due_now(db: Db) {
        let bed = Bed::new(db).await;
        let long_ago = Timestamp::from_micros(0);
        let new = TaskCreate { run_at: Some(long_ago), ..TaskCreate::new("n".parse().unwrap(), Payload::of(&()).unwrap()) };
        let id = bed.tasks.create(new).await.unwrap().id;
        let status = bed.tasks.get_task_status(id).await.unwrap().unwrap();
        assert!(status.run_at >= status.created_at);
        assert_eq!(status.state, TaskState::Ready);
    }
}

#[test]
fn a_payload_is_json_and_shows_itself_to_nobody() {
    assert!(Payload::parse("{".to_owned()).is_err());
    assert!(Payload::parse("[".repeat(128) + &"]".repeat(128)).is_err());
    assert!(Payload::parse("[".repeat(127) + r#""\"[[[""# + &"]".repeat(127)).is_ok());
    for poison in [r#""\ud800""#, "1e999", r#"{"a":"\udc00\ud800"}"#] {
        assert!(Payload::parse(poison.to_owned()).is_err(), "{poison}");
    }
    let payload = Payload::of("secret").unwrap();
    assert_eq!(format!("{payload:?}"), "Payload(8 bytes)");
    assert_eq!(payload.read::<String>().unwrap(), "secret");
}
