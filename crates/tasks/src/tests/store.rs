use std::collections::HashSet;

use cgcg_core::{Db, Engine, on};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, LEASE, done, new, seconds};
use crate::store::lease::{Beat, Next, beat, complete};
use crate::{TaskCreate, TaskState};

both! {
    async fn a_late_completion_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let first = bed.claim_one("w1").await;
        bed.settle("w1", &first, Next::Release).await.unwrap();
        let second = bed.claim_one("w1").await;
        assert_eq!((second.seq, second.lease, second.attempt), (first.seq, 2, 1));
        assert!(!bed.complete("w1", &first).await);
        assert!(!bed.complete("w2", &second).await);
        assert!(bed.settle("w1", &first, Next::Fail).await.is_none());
        assert_eq!(bed.state(id).await, TaskState::Running);
        assert!(bed.complete("w1", &second).await);
        assert!(!bed.complete("w1", &second).await);
        assert_eq!(bed.state(id).await, TaskState::Succeeded);
    }

    async fn texts_come_back_to_the_letter(db: Db) {
        let bed = Bed::new(db).await;
        let worker = "host \"a\" \\ é";
        let long = "\"\\\u{1F600}".repeat(600);
        let texts = ["", "\"quoted\" \\ \u{0}\u{1e}\n", "é\u{1F600}\u{2028}", long.as_str()];
        for text in texts {
            bed.tasks.create(new("n", &json!(text))).await.unwrap();
        }
        let claimed = bed.claim(worker).await;
        assert_eq!(claimed.len(), texts.len());
        let results = [0, 1, 2, 3].map(|index| {
            let payload = String::from_utf8(claimed[index].payload.clone().unwrap()).unwrap();
            assert_eq!(payload, json!(texts[index]).to_string());
            (index != 1).then_some(payload)
        });
        // All are ended together, one of them without a result.
        let held = bed.db.begin().await.unwrap();
        let end = |index: usize| {
            bed.tasks.complete(done(worker, &claimed[index], results[index].as_deref()))
        };
        let (a, b, c, d, ()) = tokio::join!(end(0), end(1), end(2), end(3), async { drop(held) });
        assert!([a, b, c, d].into_iter().all(Result::unwrap));
        for (task, result) in claimed.iter().zip(results) {
            assert_eq!(bed.status(task.id).await.result, result);
        }
    }

    async fn a_row_number_never_comes_back(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let first = bed.claim_one("w").await;
        assert!(bed.complete("w", &first).await);
        bed.tasks.delete(id).await.unwrap();
        bed.create("n").await;
        let second = bed.claim_one("w").await;
        assert!(second.seq > first.seq);
        assert!(!bed.complete("w", &first).await);
    }

    async fn two_claimers_never_get_one_task(db: Db) {
        let bed = Bed::new(db).await;
        bed.tasks.create_many((0..200).map(|_| new("n", &json!({}))).collect()).await.unwrap();
        let claimers = (0..4).map(|number| {
            let bed = Bed { db: bed.db.clone(), clock: bed.clock.clone(), tasks: bed.another() };
            tokio::spawn(async move {
                let mut seqs = Vec::new();
                loop {
                    let tasks = bed.claim(&format!("w{number}")).await;
                    if tasks.is_empty() {
                        return seqs;
                    }
                    seqs.extend(tasks.iter().map(|task| task.seq));
                }
            })
        });
        let mut seqs = Vec::new();
        for claimer in claimers.collect::<Vec<_>>() {
            seqs.extend(claimer.await.unwrap());
        }
        assert_eq!(seqs.len(), 200);
        assert_eq!(seqs.into_iter().collect::<HashSet<_>>().len(), 200);
    }

    async fn tasks_run_by_priority_then_time_then_arrival_and_only_known_names(db: Db) {
        let bed = Bed::new(db).await;
        let mut ids = Vec::new();
        for (name, priority, delay) in [("n", 5, 9), ("n", 1, 9), ("n", 5, 1), ("other", 5, 9), ("stranger", 0, 9)] {
            let run_at = Some(cgcg_core::Clock::now(&bed.clock) + seconds(delay));
            let task = TaskCreate { priority: Some(priority), run_at, ..new(name, &json!({})) };
            ids.push(bed.tasks.create(task).await.unwrap().id);
        }
        bed.clock.advance(seconds(10));
        bed.tasks.promote().await.unwrap();
        let order: Vec<_> = bed.claim("w").await.iter().map(|task| task.id).collect();
        assert_eq!(order, [ids[1], ids[2], ids[0], ids[3]]);
        assert_eq!(bed.state(ids[4]).await, TaskState::Ready);
    }

    async fn the_last_ten_errors_are_kept(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.tasks.create(TaskCreate { max_attempts: Some(100), ..new("n", &json!({})) }).await.unwrap().id;
        for _ in 0..12 {
            let task = bed.claim_one("w").await;
            bed.settle("w", &task, Next::Retry(seconds(1))).await.unwrap();
            bed.pass(seconds(1)).await;
        }
        let attempts: Vec<_> = bed.status(id).await.errors.iter().map(|error| error.attempt).collect();
        assert_eq!(attempts, (3..=12).collect::<Vec<_>>());
    }

    async fn a_paused_queue_gives_nothing(db: Db) {
        let bed = Bed::new(db).await;
        bed.create("n").await;
        let mut conn = bed.db.begin().await.unwrap();
        let sql = "insert into task_queue (name, paused, updated_at) values ('default', true, 0)";
        on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
        conn.commit().await.unwrap();
        assert!(bed.claim("w").await.is_empty());
    }

    async fn an_open_transaction_does_not_stop_other_beats(db: Db) {
        let bed = Bed::new(db).await;
        bed.create("n").await;
        bed.create("n").await;
        let tasks = bed.claim("w").await;
        if bed.db.engine() == Engine::Sqlite {
            // One writer: nobody beats meanwhile, and nobody rescues.
            return;
        }
        let mut open = bed.db.begin().await.unwrap();
        let ended = complete(&mut open, None, true, &[done("w", &tasks[0], None)]).await.unwrap();
        assert_eq!(ended, [tasks[0].fence()]);
        let beats: Vec<_> = tasks.iter().map(|task| Beat { fence: task.fence(), progress: None }).collect();
        let mut conn = bed.db.begin().await.unwrap();
        let beaten = beat(&mut conn, None, LEASE, "w", &beats).await.unwrap();
        let renewed = |seq| beaten.iter().find(|row| row.seq == seq).unwrap().renewed;
        assert!(!renewed(tasks[0].seq) && renewed(tasks[1].seq));
    }

    async fn sqlite_runs_with_synchronous_full(db: Db) {
        if db.engine() == Engine::Sqlite {
            let mut conn = db.begin().await.unwrap();
            let level: i64 = on!(&mut conn, |c| sqlx::query_scalar("pragma synchronous").fetch_one(c).await.unwrap());
            assert_eq!(level, 2);
        }
    }

    async fn progress_is_kept_with_the_lease_and_the_newest_counts(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let task = bed.claim_one("w").await;
        for (progress, seen) in [(Some(json!({ "pct": 5 })), 5), (None, 5), (Some(json!({ "pct": 9 })), 9)] {
            let mut conn = bed.db.begin().await.unwrap();
            let now = crate::store::now(&bed.clock, &conn);
            let beats = [Beat { fence: task.fence(), progress }];
            assert!(beat(&mut conn, now, LEASE, "w", &beats).await.unwrap()[0].renewed);
            conn.commit().await.unwrap();
            let progress = bed.status(id).await.progress.unwrap();
            let progress: serde_json::Value = serde_json::from_str(&progress).unwrap();
            assert_eq!(progress, json!({ "pct": seen }));
        }
    }
}
