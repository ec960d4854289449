use cgcg_core::{Clock, Db, Engine, on};
use cgcg_testkit::{both, eventually};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::super::{Bed, new, seconds};
use super::{Add, Works, adds, rename};
use crate::{Handlers, Service, TaskState};

/// What a second process has: connections of its own.
async fn stranger(bed: &Bed) -> Service {
    let db = match bed.db.engine() {
        Engine::Postgres => bed.db.clone(),
        Engine::Sqlite => {
            let sql = "select file from pragma_database_list where name = 'main'";
            let mut conn = bed.db.read().await.unwrap();
            let file: String = on!(&mut conn, |c| sqlx::query_scalar(sql)
                .fetch_one(c)
                .await
                .unwrap());
            Db::connect(&format!("sqlite:{file}")).await.unwrap()
        }
    };
    Service::new(
        db,
        std::sync::Arc::new(bed.clock.clone()),
        bed.tasks.settings().clone(),
    )
}

impl Bed {
    async fn until_it_hears(&self) {
        eventually("it hears others", async || self.tasks.bells().hears()).await;
        // The look that follows is over, too: the next one is five seconds away.
        let made = self
            .tasks
            .new_task(Add { a: 1, b: 1 })
            .create()
            .await
            .unwrap();
        self.until_state(made.id, TaskState::Succeeded).await;
    }
}

both! {
    async fn work_of_another_process_is_heard_long_before_the_next_look(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        bed.until_it_hears().await;
        let other = stranger(&bed).await;
        for _ in 0..3 {
            let before = bed.clock.now();
            let made = other.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
            bed.little_by_little("it is done", async || bed.state(made.id).await == TaskState::Succeeded).await;
            assert!(bed.clock.now().since(before) < seconds(3));
        }
        works.end().await;
    }

    async fn work_made_in_a_transaction_of_the_caller_is_heard_once_it_commits(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        bed.until_it_hears().await;
        let other = stranger(&bed).await;
        let before = bed.clock.now();
        let mut conn = other.db().begin().await.unwrap();
        let made = other.create_in(&mut conn, new("add", &json!({ "a": 1, "b": 2 }))).await.unwrap();
        conn.commit().await.unwrap();
        bed.little_by_little("it is done", async || bed.state(made.id).await == TaskState::Succeeded).await;
        assert!(bed.clock.now().since(before) < seconds(3));
        works.end().await;
    }

    async fn what_another_process_schedules_starts_on_time(db: Db) {
        let bed = Bed::new(db).await;
        let works = bed.work(adds(), 4);
        bed.until_it_hears().await;
        let other = stranger(&bed).await;
        let made = other.new_task(Add { a: 1, b: 2 }).run_in(seconds(2)).create().await.unwrap();
        let due = bed.clock.now() + seconds(2);
        bed.little_by_little("it is done", async || bed.state(made.id).await == TaskState::Succeeded).await;
        let started = bed.status(made.id).await.started_at.unwrap();
        assert!(started >= due && started.since(due) < seconds(2), "{:?} late", started.since(due));
        works.end().await;
    }

    async fn a_dropped_listener_reconnects(db: Db) {
        let bed = Bed::new(db).await;
        if bed.db.engine() == Engine::Sqlite {
            return;
        }
        let works = bed.work(adds(), 4);
        bed.until_it_hears().await;
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity
                   where query like 'LISTEN%' and datname = current_database()";
        rename(&bed.db, sql).await;
        eventually("it is deaf", async || !bed.tasks.bells().hears()).await;
        let other = stranger(&bed).await;
        let made = other.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        bed.pass_until("it is found by looking", async || bed.state(made.id).await == TaskState::Succeeded).await;
        bed.pass_until("it hears again", async || bed.tasks.bells().hears()).await;
        works.end().await;
    }

    async fn work_is_found_without_a_listener(db: Db) {
        let settings = crate::Settings { notify: false, ..crate::Settings::default() };
        let bed = Bed::with(db, settings).await;
        let works = bed.work(adds(), 4);
        let other = stranger(&bed).await;
        let before = bed.clock.now();
        let made = other.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        bed.pass_until("it is found", async || bed.state(made.id).await == TaskState::Succeeded).await;
        assert!(bed.status(made.id).await.started_at.unwrap().since(before) < seconds(5));
        works.end().await;
    }

    async fn work_that_finds_no_place_here_is_soon_done_elsewhere(db: Db) {
        let bed = Bed::new(db).await;
        if bed.db.engine() == Engine::Sqlite {
            // There the others look at the file.
            return;
        }
        let release = CancellationToken::new();
        let handlers = || Handlers::new().on_name("n", {
            let release = release.clone();
            move |_, _| {
                let release = release.clone();
                async move {
                    release.cancelled().await;
                    Ok(None)
                }
            }
        });
        let other = stranger(&bed).await;
        let theirs = Works::start(&other, handlers(), 2);
        eventually("they hear", async || other.bells().hears()).await;
        let first = bed.create("n").await;
        bed.until_state(first, TaskState::Running).await;
        let ours = bed.work(adds().and(handlers()), 1);
        let mut ids = vec![first];
        // One place is here, one is left there.
        for _ in 0..2 {
            let id = bed.create("n").await;
            // Notices go out two milliseconds apart.
            bed.little_by_little("it runs", async || bed.state(id).await == TaskState::Running).await;
            ids.push(id);
        }
        assert!(bed.clock.now().since(bed.status(first).await.created_at) < seconds(4));
        release.cancel();
        for id in ids {
            bed.until_state(id, TaskState::Succeeded).await;
        }
        ours.end().await;
        theirs.end().await;
    }

    async fn a_wish_to_cancel_from_another_process_needs_no_heartbeat(db: Db) {
        let bed = Bed::new(db).await;
        if bed.db.engine() == Engine::Sqlite {
            // There the heartbeat brings it.
            return;
        }
        let handlers = adds().and(Handlers::new().on_name("long", |ctx, _| async move {
            ctx.cancelled().cancelled().await;
            Err(crate::TaskError::cancelled())
        }));
        let works = bed.work(handlers, 2);
        bed.until_it_hears().await;
        let id = bed.create("long").await;
        bed.until_state(id, TaskState::Running).await;
        stranger(&bed).await.cancel(id).await.unwrap();
        // No time passes.
        bed.until_state(id, TaskState::Cancelled).await;
        works.end().await;
    }

    async fn names_that_nobody_knows_leave_the_head_of_the_queue(db: Db) {
        let bed = Bed::new(db).await;
        let list = |name: &str, priority| (0..1_100).map(|_| crate::TaskCreate {
            priority: Some(priority), ..new(name, &json!({ "a": 1, "b": 1 })) }).collect::<Vec<_>>();
        let strangers = bed.tasks.create_many(list("stranger", 0)).await.unwrap();
        let (first, last) = (strangers[0].id, strangers[1_099].id);
        let works = bed.work(adds(), 4);
        bed.pass_until("they are put off", async || bed.state(last).await == TaskState::Scheduled).await;
        let status = bed.status(first).await;
        assert_eq!((status.state, status.attempt), (TaskState::Scheduled, 0));
        let made = bed.tasks.new_task(Add { a: 1, b: 2 }).create().await.unwrap();
        bed.until_state(made.id, TaskState::Succeeded).await;
        works.end().await;
        // Somebody comes who knows them.
        let works = bed.work(Handlers::new().on_name("stranger", |_, _| async { Ok(None) }), 100);
        bed.pass_until("they are done", async || bed.state(last).await == TaskState::Succeeded).await;
        works.end().await;
    }

    async fn what_others_run_is_not_put_off(db: Db) {
        let bed = Bed::new(db).await;
        bed.tasks.create_many((0..20).map(|_| new("other", &json!({}))).collect()).await.unwrap();
        let names = ["n".to_owned()];
        assert_eq!(bed.claim("w").await.len(), 10);
        assert_eq!(bed.tasks.park("default", &names).await.unwrap(), 0);
        let strangers = (0..20).map(|_| new("stranger", &json!({}))).collect();
        bed.tasks.create_many(strangers).await.unwrap();
        assert_eq!(bed.tasks.park("default", &names).await.unwrap(), 20);
        assert_eq!(bed.claim("w").await.len(), 10);
    }

    async fn a_few_unknown_names_among_known_ones_stay_where_they_are(db: Db) {
        let bed = Bed::new(db).await;
        for name in ["n", "n", "stranger", "n"] {
            bed.create(name).await;
        }
        assert_eq!(bed.tasks.park("default", &["n".to_owned()]).await.unwrap(), 0);
        assert_eq!(bed.claim("w").await.len(), 3);
    }
}
