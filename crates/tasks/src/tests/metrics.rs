use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use cgcg_core::{Db, Engine, on};
use cgcg_testkit::both;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{Bed, LEASE, seconds};
use crate::service::tend::rescue::Guard;

/// Keeps counters and gauges by name and labels.
#[derive(Clone, Default)]
pub(super) struct Kept(Arc<Mutex<BTreeMap<String, Arc<AtomicU64>>>>);

impl Kept {
    fn cell(&self, key: &Key) -> Arc<AtomicU64> {
        let labels = key
            .labels()
            .map(|label| format!(" {}={}", label.key(), label.value()));
        let name = key.name().to_owned() + &labels.collect::<String>();
        self.0.lock().unwrap().entry(name).or_default().clone()
    }

    pub(super) fn counter(&self, name: &str) -> Option<u64> {
        let kept = self.0.lock().unwrap();
        kept.get(name).map(|value| value.load(Ordering::SeqCst))
    }

    fn gauge(&self, name: &str) -> Option<f64> {
        self.counter(name).map(f64::from_bits)
    }
}

impl Recorder for Kept {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        Counter::from_arc(self.cell(key))
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        Gauge::from_arc(self.cell(key))
    }

    fn register_histogram(&self, _: &Key, _: &Metadata<'_>) -> Histogram {
        Histogram::noop()
    }
}

both! {
    async fn what_the_database_carries_along_is_shown(db: Db) {
        let kept = Kept::default();
        let bed = Bed::new(db).await;
        bed.create("n").await;
        // PostgreSQL: a transaction that wrote and stays open; in SQLite it would be the only writer.
        let mut open = match bed.db.engine() {
            Engine::Sqlite => bed.db.read().await.unwrap(),
            Engine::Postgres => bed.db.begin().await.unwrap(),
        };
        if bed.db.engine() == Engine::Postgres {
            on!(&mut open, |c| sqlx::query("create temporary table held (x int)").execute(c).await.map(drop)).unwrap();
        }
        let _local = metrics::set_default_local_recorder(&kept);
        bed.tasks.measure(&mut Default::default()).await.unwrap();
        assert_eq!(kept.gauge("cgcg_tasks_ready queue=default"), Some(1.0));
        match bed.db.engine() {
            Engine::Sqlite => assert!(kept.gauge("cgcg_tasks_wal_bytes").unwrap() > 0.0),
            Engine::Postgres => {
                assert!(kept.gauge("cgcg_tasks_oldest_xmin_seconds").unwrap() > 0.0);
                assert!(kept.gauge("cgcg_tasks_dead_tuples").is_some());
            }
        }
    }

    async fn it_is_counted_why_a_task_was_taken_from_its_worker(db: Db) {
        let kept = Kept::default();
        let bed = Bed::new(db).await;
        let _local = metrics::set_default_local_recorder(&kept);
        let mut guard = Guard::default();
        bed.tasks.rescue(&mut guard).await.unwrap();
        bed.create("n").await;
        bed.claim_one("w").await;
        bed.clock.advance(LEASE + seconds(1));
        bed.tasks.rescue(&mut guard).await.unwrap();
        assert_eq!(kept.counter("cgcg_tasks_rescued_total why=lease_expired"), Some(1));
    }
}
