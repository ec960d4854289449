use std::sync::Arc;

use cgcg_core::{Clock, Db};
use cgcg_testkit::{TestClock, both, eventually};

use super::{Bed, seconds};
use crate::store::lease::Next;
use crate::wake::Ends;
use crate::{Error, TaskId, TaskState};

both! {
    async fn who_waits_hears_of_the_end_without_any_time_passing(db: Db) {
        let bed = Bed::new(db).await;
        for ended in [TaskState::Succeeded, TaskState::Failed, TaskState::Cancelled] {
            let id = bed.create("n").await;
            let waits = tokio::spawn({
                let tasks = bed.tasks.clone();
                async move { tasks.wait(id, seconds(600)).await.unwrap().state }
            });
            bed.clock.wait_for_sleepers(1).await;
            let task = bed.claim_one("w").await;
            match ended {
                TaskState::Succeeded => assert!(bed.complete("w", &task).await),
                TaskState::Failed => drop(bed.settle("w", &task, Next::Fail).await.unwrap()),
                _ => drop(bed.settle("w", &task, Next::Cancel).await.unwrap()),
            }
            assert_eq!(waits.await.unwrap(), ended);
        }
    }

    async fn an_end_in_another_process_is_seen_a_moment_later(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        let waits = tokio::spawn({
            let tasks = bed.another();
            async move { tasks.wait(id, seconds(600)).await.unwrap().state }
        });
        // The waiter, and who watches for it.
        bed.clock.wait_for_sleepers(2).await;
        bed.tasks.cancel(id).await.unwrap();
        bed.clock.advance(seconds(1));
        assert_eq!(waits.await.unwrap(), TaskState::Cancelled);
    }

    async fn the_state_at_the_end_of_the_time_is_an_answer(db: Db) {
        let bed = Bed::new(db).await;
        let id = bed.create("n").await;
        assert_eq!(bed.tasks.wait(id, seconds(0)).await.unwrap().state, TaskState::Ready);
        let nobody = TaskId::new(bed.clock.now());
        assert!(matches!(bed.tasks.wait(nobody, seconds(9)).await, Err(Error::NotFound)));
    }

    async fn many_wait_for_many_ends_in_another_process(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.another();
        let mut waits = tokio::task::JoinSet::new();
        let mut ids = Vec::new();
        for number in 0..60 {
            // Three for each.
            if number % 3 == 0 {
                ids.push(bed.create("n").await);
            }
            let (other, id) = (other.clone(), ids[number / 3]);
            waits.spawn(async move { other.wait(id, seconds(600)).await.unwrap().state });
        }
        bed.clock.wait_for_sleepers(61).await;
        for id in ids {
            bed.tasks.cancel(id).await.unwrap();
        }
        bed.clock.advance(seconds(1));
        while let Some(state) = waits.join_next().await {
            assert_eq!(state.unwrap(), TaskState::Cancelled);
        }
        // Who watched for them is gone, and the next one finds another.
        eventually("nobody watches", async || { bed.clock.advance(seconds(1)); bed.clock.sleepers() == 0 }).await;
        let id = bed.create("n").await;
        let waits = tokio::spawn(async move { other.wait(id, seconds(600)).await.unwrap().state });
        bed.clock.wait_for_sleepers(2).await;
        bed.tasks.cancel(id).await.unwrap();
        bed.clock.advance(seconds(1));
        assert_eq!(waits.await.unwrap(), TaskState::Cancelled);
    }

}

#[test]
fn more_than_ten_thousand_do_not_wait() {
    let ends = Arc::new(Ends::default());
    let id = TaskId::new(TestClock::default().now());
    let waiting: Vec<_> = (0..10_000).map(|_| ends.listen(id).unwrap()).collect();
    assert!(ends.listen(id).is_none());
    drop(waiting);
    assert!(ends.listen(id).is_some());
}
