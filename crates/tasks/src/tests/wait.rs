use cgcg_core::{Clock, Db};
use cgcg_testkit::both;

use super::{Bed, seconds};
use crate::store::lease::Next;
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
        bed.clock.wait_for_sleepers(1).await;
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
}
