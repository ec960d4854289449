use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cgcg_core::{Db, on};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, new, seconds};
use crate::store::claim::Claimed;
use crate::{Error, QueueLimits, QueueName, Rate, TaskCreate};

impl Bed {
    async fn limit(&self, limits: QueueLimits) {
        self.tasks
            .set_limits(&QueueName::default(), limits, None)
            .await
            .unwrap();
    }

    /// So many tasks with the keys `k0`, `k1`, …, in turn.
    async fn create_keyed(&self, tasks: usize, keys: usize) {
        let task = |number: usize| TaskCreate {
            concurrency_key: Some(format!("k{}", number % keys)),
            ..new("n", &json!({}))
        };
        self.tasks
            .create_many((0..tasks).map(task).collect())
            .await
            .unwrap();
    }

    async fn create_plain(&self, tasks: usize) {
        self.tasks
            .create_many((0..tasks).map(|_| new("n", &json!({}))).collect())
            .await
            .unwrap();
    }
}

fn keys(tasks: &[Claimed]) -> Vec<&str> {
    let mut keys: Vec<_> = tasks
        .iter()
        .map(|task| task.conc_key.as_deref().unwrap())
        .collect();
    keys.sort_unstable();
    keys
}

both! {
    async fn a_pause_is_exact_and_what_waits_goes_on_after_it(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_plain(1).await;
        bed.limit(QueueLimits { paused: true, ..QueueLimits::default() }).await;
        assert!(bed.claim("w").await.is_empty());
        bed.limit(QueueLimits::default()).await;
        assert_eq!(bed.claim("w").await.len(), 1);
    }

    async fn no_more_run_at_once_than_the_queue_may(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_plain(20).await;
        bed.limit(QueueLimits { max_running: Some(3), ..QueueLimits::default() }).await;
        let first = bed.claim("w").await;
        assert_eq!(first.len(), 3);
        assert!(bed.claim("other").await.is_empty());
        assert!(bed.complete("w", &first[0]).await);
        assert_eq!(bed.claim("other").await.len(), 1);
    }

    async fn a_limit_holds_with_many_claimers_at_once(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_keyed(60, 4).await;
        bed.limit(QueueLimits { max_running: Some(5), max_per_key: Some(2), ..QueueLimits::default() }).await;
        let most = Arc::new(AtomicUsize::new(0));
        let claimers = (0..4).map(|number| {
            let bed = Bed { db: bed.db.clone(), clock: bed.clock.clone(), tasks: bed.another() };
            let (worker, most) = (format!("w{number}"), most.clone());
            tokio::spawn(async move {
                let mut done = 0;
                for _ in 0..100 {
                    let tasks = bed.claim(&worker).await;
                    let sql = "select count(*) from task where state = 3 group by conc_key";
                    let mut conn = bed.db.read().await.unwrap();
                    let running: Vec<i64> =
                        on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_all(c).await.unwrap());
                    drop(conn);
                    assert!(running.iter().all(|running| *running <= 2), "{running:?}");
                    let sum = running.iter().sum::<i64>();
                    assert!(sum <= 5, "{running:?}");
                    most.fetch_max(usize::try_from(sum).unwrap(), Ordering::SeqCst);
                    for task in tasks {
                        assert!(bed.complete(&worker, &task).await);
                        done += 1;
                    }
                }
                done
            })
        });
        let mut done = 0;
        for claimer in claimers.collect::<Vec<_>>() {
            done += claimer.await.unwrap();
        }
        assert_eq!(done, 60);
        assert!(most.load(Ordering::SeqCst) > 1);
    }

    async fn of_each_key_no_more_run_than_may_and_one_with_many_tasks_keeps_nobody_out(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_keyed(100, 1).await;
        bed.create_plain(3).await;
        bed.limit(QueueLimits { max_per_key: Some(2), ..QueueLimits::default() }).await;
        bed.create_plain(1).await;
        let late = TaskCreate { concurrency_key: Some("late".to_owned()), ..new("n", &json!({})) };
        bed.tasks.create(late).await.unwrap();
        // Those without a key share one, whether they came before or after the limit.
        let tasks = bed.claim("w").await;
        assert_eq!(keys(&tasks), ["", "", "k0", "k0", "late"]);
        assert!(bed.claim("w").await.is_empty());
        let of_k0 = tasks.iter().find(|task| task.conc_key.as_deref() == Some("k0")).unwrap();
        assert!(bed.complete("w", of_k0).await);
        assert_eq!(keys(&bed.claim("w").await), ["k0"]);
    }

    async fn every_one_of_hundreds_of_keys_has_its_turn(db: Db) {
        let bed = Bed::new(db).await;
        bed.limit(QueueLimits { max_per_key: Some(1), ..QueueLimits::default() }).await;
        bed.create_keyed(600, 300).await;
        let mut running = Vec::new();
        for _ in 0..60 {
            running.extend(bed.claim("w").await);
        }
        assert_eq!(running.len(), 300);
        let last = running.pop().unwrap();
        assert!(bed.complete("w", &last).await);
        let next = bed.claim("w").await;
        assert_eq!((next.len(), &next[0].conc_key), (1, &last.conc_key));
    }

    async fn no_more_start_in_a_time_than_may(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_plain(30).await;
        let rate = Rate { n: 3, per: seconds(3) };
        bed.limit(QueueLimits { rate: Some(rate), ..QueueLimits::default() }).await;
        let mut started = Vec::new();
        for _ in 0..6 {
            started.push(bed.claim("w").await.len());
            bed.clock.advance(seconds(1));
        }
        assert_eq!(started, [3, 1, 1, 1, 1, 1]);
        bed.clock.advance(seconds(3_600));
        assert_eq!(bed.claim("w").await.len(), 3);
    }

    async fn of_each_key_no_more_start_in_a_time_than_may(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_keyed(30, 3).await;
        let rate = Rate { n: 1, per: seconds(10) };
        bed.limit(QueueLimits { key_rate: Some(rate), ..QueueLimits::default() }).await;
        let mut started = Vec::new();
        for pause in [0, 9, 1, 9, 1] {
            bed.clock.advance(seconds(pause));
            started.push(bed.claim("w").await.len());
        }
        assert_eq!(started, [3, 0, 3, 0, 3]);
        bed.clock.advance(seconds(2 * 86_400));
        bed.tasks.purge().await.unwrap();
        let sql = "select count(*) from task_rate";
        let mut conn = bed.db.read().await.unwrap();
        let buckets: i64 = on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_one(c).await.unwrap());
        assert_eq!(buckets, 0);
    }

    async fn limits_are_read_back_and_a_stale_change_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        let queue = QueueName::parse("q").unwrap();
        assert!(bed.tasks.find_queue(&queue).await.unwrap().is_none());
        let limits = QueueLimits {
            paused: true,
            max_running: Some(1),
            max_per_key: Some(1_000_000),
            rate: Some(Rate { n: 1, per: seconds(86_400) }),
            key_rate: Some(Rate { n: 1_000_000, per: seconds(1) }),
        };
        let set = async |version| bed.tasks.set_limits(&queue, limits, Some(version)).await;
        assert!(matches!(set(1).await, Err(Error::Changed)));
        assert_eq!(set(0).await.unwrap(), 1);
        assert!(matches!(set(0).await, Err(Error::Changed)));
        assert_eq!(set(1).await.unwrap(), 2);
        let found = bed.tasks.find_queue(&queue).await.unwrap().unwrap();
        assert_eq!((found.limits, found.version), (limits, 2));
        assert_eq!(bed.tasks.list_queues("").await.unwrap(), [found]);
        let wrong = [
            QueueLimits { max_running: Some(0), ..limits },
            QueueLimits { max_per_key: Some(1_000_001), ..limits },
            QueueLimits { rate: Some(Rate { n: 0, per: seconds(1) }), ..limits },
            QueueLimits { key_rate: Some(Rate { n: 1, per: seconds(86_401) }), ..limits },
        ];
        for limits in wrong {
            let refused = bed.tasks.set_limits(&queue, limits, None).await;
            assert!(matches!(refused, Err(Error::Invalid { invalid, .. }) if invalid.code == "limit_invalid"));
        }
    }
}
