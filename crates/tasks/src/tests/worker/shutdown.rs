use cgcg_core::Db;
use cgcg_testkit::{both, eventually};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::{Bed, new};
use super::made;
use crate::{Handlers, TaskState};

both! {
    async fn shutdown_ends_with_100_tasks_in_flight(db: Db) {
        let bed = Bed::new(db).await;
        let list = (0..100).map(|_| new("n", &json!({})));
        let made = bed.tasks.create_many(list.collect()).await.unwrap();
        let works = bed.work(Handlers::new().on_name("n", |_, _| std::future::pending()), 100);
        for created in &made {
            bed.until_state(created.id, TaskState::Running).await;
        }
        works.stop.cancel();
        bed.pass_until("the worker has ended", async || works.end.is_finished()).await;
        for created in made {
            let status = bed.status(created.id).await;
            assert_eq!((status.state, status.attempt), (TaskState::Ready, 0), "it is given back");
        }
    }

    async fn shutdown_waits_for_what_is_nearly_done_and_takes_nothing_new(db: Db) {
        let bed = Bed::new(db).await;
        let release = CancellationToken::new();
        let handlers = Handlers::new().on_name("n", {
            let release = release.clone();
            move |_, _| {
                let release = release.clone();
                async move {
                    release.cancelled().await;
                    Ok(None)
                }
            }
        });
        let works = bed.work(handlers, 1);
        let (first, second) = (made(&bed, 4).await, made(&bed, 4).await);
        eventually("one runs", async || bed.state(first).await == TaskState::Running).await;
        works.stop.cancel();
        release.cancel();
        works.end.await.unwrap().unwrap();
        assert_eq!(bed.state(first).await, TaskState::Succeeded);
        assert_eq!(bed.state(second).await, TaskState::Ready);
    }

    async fn a_handler_that_hears_ends_in_order(db: Db) {
        let bed = Bed::new(db).await;
        let handlers = Handlers::new().on_name("n", |ctx, _| async move {
            ctx.cancelled().cancelled().await;
            Ok(None)
        });
        let works = bed.work(handlers, 1);
        let id = made(&bed, 4).await;
        bed.until_state(id, TaskState::Running).await;
        works.stop.cancel();
        bed.pass_until("the worker has ended", async || works.end.is_finished()).await;
        assert_eq!(bed.state(id).await, TaskState::Succeeded);
    }
}
