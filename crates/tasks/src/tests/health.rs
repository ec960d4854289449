use std::collections::BTreeSet;

use cgcg_core::{Db, Health};
use cgcg_testkit::{both, eventually};
use tokio_util::sync::CancellationToken;

use super::{Bed, seconds};
use crate::{Settings, TaskState};

both! {
    async fn a_loop_that_turns_no_more_is_told_of(db: Db) {
        let bed = Bed::new(db).await;
        assert_eq!(bed.tasks.health().await, Health::Good);
        bed.tasks.turns("rescue", seconds(10));
        bed.clock.advance(seconds(69));
        assert_eq!(bed.tasks.health().await, Health::Good);
        bed.clock.advance(seconds(1));
        let Health::Degraded(text) = bed.tasks.health().await else { panic!("it is stuck") };
        assert_eq!(text, "rescue should have happened 60 s ago");
        bed.tasks.turns_no_more("rescue");
        assert_eq!(bed.tasks.health().await, Health::Good);
    }

    async fn a_process_that_keeps_the_queue_in_order_stays_healthy_and_leaves_nothing_behind(db: Db) {
        let bed = Bed::new(db).await;
        let stop = CancellationToken::new();
        let tends = tokio::spawn({
            let (tasks, stop) = (bed.tasks.clone(), stop.clone());
            async move { tasks.maintain_until(stop).await }
        });
        for _ in 0..5 {
            bed.clock.wait_for_sleepers(4).await;
            bed.clock.advance(seconds(70));
            eventually("it turns", async || bed.tasks.health().await == Health::Good).await;
        }
        stop.cancel();
        tends.await.unwrap();
        bed.clock.advance(seconds(3_600));
        assert_eq!(bed.tasks.health().await, Health::Good);
    }

    async fn a_database_that_fails_is_a_failure(db: Db) {
        let bed = Bed::new(db).await;
        bed.db.close().await;
        assert!(matches!(bed.tasks.health().await, Health::Failed(_)));
    }

    async fn what_is_ready_is_counted_by_queue_until_it_is_gone(db: Db) {
        let bed = Bed::new(db).await;
        bed.create("n").await;
        let mut known = BTreeSet::new();
        bed.tasks.measure(&mut known).await.unwrap();
        assert_eq!(known, BTreeSet::from(["default".to_owned()]));
        bed.claim_one("w").await;
        bed.tasks.measure(&mut known).await.unwrap();
        assert!(known.is_empty());
    }

    async fn a_completion_that_does_not_wait_for_the_disk_is_one(db: Db) {
        let bed = Bed::with(db, Settings { relaxed_complete: true, ..Settings::default() }).await;
        let id = bed.create("n").await;
        assert!(bed.complete("w", &bed.claim_one("w").await).await);
        assert_eq!(bed.state(id).await, TaskState::Succeeded);
    }
}
