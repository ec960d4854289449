use cgcg_core::Db;
use cgcg_testkit::{both, eventually};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::{Bed, new, seconds};
use super::Works;
use crate::{Handlers, Settings, TaskId, TaskState};

/// One task has ended quickly, one runs until `release`, and three were taken ahead.
struct Ahead {
    works: Works,
    release: CancellationToken,
    long: TaskId,
    rest: Vec<TaskId>,
}

impl Ahead {
    async fn new(bed: &Bed) -> Self {
        let release = CancellationToken::new();
        let handlers = Handlers::new()
            .on_name("n", |_, _| async { Ok(None) })
            .on_name("long", {
                let release = release.clone();
                move |_, _| {
                    let release = release.clone();
                    async move {
                        release.cancelled().await;
                        Ok(None)
                    }
                }
            });
        let list = ["n", "long", "n", "n", "n"].map(|name| new(name, &json!({})));
        let made = bed.tasks.create_many(list.into()).await.unwrap();
        let works = bed.work(handlers, 1);
        let ids: Vec<TaskId> = made.iter().map(|created| created.id).collect();
        for id in &ids[1..] {
            bed.until_state(*id, TaskState::Running).await;
        }
        Self {
            works,
            release,
            long: ids[1],
            rest: ids[2..].to_vec(),
        }
    }
}

async fn bed(db: Db) -> Bed {
    let settings = Settings {
        prefetch: 200,
        ..Settings::default()
    };
    Bed::with(db, settings).await
}

impl Bed {
    async fn is_given_back(&self, id: TaskId) -> bool {
        let status = self.status(id).await;
        (status.state, status.attempt) == (TaskState::Ready, 0)
    }
}

both! {
    async fn what_was_taken_ahead_begins_when_there_is_a_place(db: Db) {
        let bed = bed(db).await;
        let ahead = Ahead::new(&bed).await;
        ahead.release.cancel();
        for id in ahead.rest {
            let status = bed.tasks.wait(id, seconds(86_400)).await.unwrap();
            assert_eq!((status.state, status.attempt), (TaskState::Succeeded, 1));
        }
        ahead.works.end().await;
    }

    async fn what_was_taken_ahead_and_waits_is_given_back(db: Db) {
        let bed = bed(db).await;
        let ahead = Ahead::new(&bed).await;
        for id in &ahead.rest {
            bed.pass_until("it is given back", async || bed.is_given_back(*id).await).await;
        }
        assert_eq!(bed.state(ahead.long).await, TaskState::Running);
        ahead.release.cancel();
        ahead.works.end().await;
    }

    async fn what_was_taken_ahead_is_given_back_at_the_end_before_what_runs_is_over(db: Db) {
        let bed = bed(db).await;
        let ahead = Ahead::new(&bed).await;
        ahead.works.stop.cancel();
        for id in &ahead.rest {
            eventually("it is given back", async || bed.is_given_back(*id).await).await;
        }
        assert_eq!(bed.state(ahead.long).await, TaskState::Running);
        ahead.release.cancel();
        ahead.works.end().await;
        assert_eq!(bed.state(ahead.long).await, TaskState::Succeeded);
    }

    async fn what_was_taken_ahead_and_is_cancelled_never_begins(db: Db) {
        let bed = bed(db).await;
        let ahead = Ahead::new(&bed).await;
        bed.tasks.cancel(ahead.rest[0]).await.unwrap();
        bed.until_state(ahead.rest[0], TaskState::Cancelled).await;
        ahead.release.cancel();
        ahead.works.end().await;
    }
}
