use cgcg_core::{Clock, Db, Timestamp};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, seconds};
use crate::store::claim::Claimed;
use crate::{Error, Overlap, Payload, ScheduleCreate, TaskState};

fn each_minute() -> ScheduleCreate {
    let payload = Payload::of(&json!({ "a": 1 })).unwrap();
    ScheduleCreate::new("* * * * *", "n".parse().unwrap(), payload)
}

impl Bed {
    /// Lets time pass in small steps, in which the ticks are looked at.
    async fn tick(&self, minutes: u64) {
        for _ in 0..minutes * 2 {
            self.clock.advance(seconds(30));
            self.tasks.fire().await.unwrap();
        }
    }
}

fn ticks(tasks: &[Claimed]) -> Vec<Timestamp> {
    tasks.iter().map(|task| task.tick_at.unwrap()).collect()
}

both! {
    async fn a_schedule_that_cannot_fire_does_not_stop_the_others(db: Db) {
        let bed = Bed::new(db).await;
        let large = Payload::of(&"x".repeat(5_000)).unwrap();
        bed.tasks.ensure_schedule("a", ScheduleCreate { payload: large, ..each_minute() }).await.unwrap();
        bed.tasks.ensure_schedule("b", each_minute()).await.unwrap();
        let mut settings = bed.tasks.settings().clone();
        settings.payload_limit = cgcg_core::Size::kib(1);
        let strict = crate::Service::new(bed.db.clone(), std::sync::Arc::new(bed.clock.clone()), settings);
        bed.clock.advance(seconds(60));
        strict.fire().await.unwrap();
        let made = bed.claim("w").await;
        assert_eq!(made.len(), 1);
        assert_eq!(made[0].payload.as_deref(), Some(&br#"{"a":1}"#[..]));
        let put_off = bed.tasks.find_schedule("a").await.unwrap().unwrap();
        assert_eq!(put_off.next_at, bed.clock.now() + seconds(3_600));
    }

    async fn each_tick_makes_one_task_that_knows_it(db: Db) {
        let bed = Bed::new(db).await;
        let start = bed.clock.now();
        bed.tasks.ensure_schedule("s", ScheduleCreate { overlap: Overlap::Allow, ..each_minute() }).await.unwrap();
        bed.tick(3).await;
        let tasks = bed.claim("w").await;
        assert_eq!(ticks(&tasks), [1, 2, 3].map(|minute| start + seconds(60 * minute)));
        assert_eq!(tasks[0].payload.as_deref(), Some(&br#"{"a":1}"#[..]));
        let schedule = bed.tasks.find_schedule("s").await.unwrap().unwrap();
        assert_eq!(schedule.next_at, start + seconds(240));
        assert_eq!((schedule.last_at, schedule.last_task), (Some(start + seconds(180)), Some(tasks[2].id)));
    }

    async fn n_processes_fire_one_tick_once(db: Db) {
        let bed = Bed::new(db).await;
        bed.tasks.ensure_schedule("s", ScheduleCreate { overlap: Overlap::Allow, ..each_minute() }).await.unwrap();
        let services = [bed.tasks.clone(), bed.another(), bed.another(), bed.another()];
        for _ in 0..5 {
            bed.clock.advance(seconds(60));
            let fires = services.clone().map(|tasks| tokio::spawn(async move { tasks.fire().await }));
            for fire in fires {
                fire.await.unwrap().unwrap();
            }
        }
        assert_eq!(bed.claim("w").await.len(), 5);
    }

    async fn a_missed_tick_is_made_up(db: Db) {
        let bed = Bed::new(db).await;
        let start = bed.clock.now();
        for (name, catch_up) in [("none", 0), ("one", 1), ("three", 3)] {
            let new = ScheduleCreate {
                catch_up,
                overlap: Overlap::Allow,
                cron: "0 * * * *".to_owned(),
                priority: Some(catch_up.into()),
                ..each_minute()
            };
            bed.tasks.ensure_schedule(name, new).await.unwrap();
        }
        // Nobody looked for ten hours and a half.
        bed.clock.advance(seconds(37_800));
        bed.tasks.fire().await.unwrap();
        let hours = |hours: [u64; 4]| hours.map(|hour| start + seconds(3_600 * hour));
        assert_eq!(ticks(&bed.claim("w").await), hours([10, 8, 9, 10]));
        // On time, each makes its own.
        bed.clock.advance(seconds(1_800));
        bed.tasks.fire().await.unwrap();
        assert_eq!(ticks(&bed.claim("w").await).len(), 3);
    }

    async fn a_tick_is_skipped_while_the_last_task_has_not_ended(db: Db) {
        let bed = Bed::new(db).await;
        bed.tasks.ensure_schedule("s", each_minute()).await.unwrap();
        bed.tick(1).await;
        let first = bed.claim_one("w").await;
        bed.tick(3).await;
        assert!(bed.claim("w").await.is_empty());
        assert!(bed.complete("w", &first).await);
        bed.tick(1).await;
        assert_eq!(bed.claim_one("w").await.tick_at, Some(first.tick_at.unwrap() + seconds(240)));
    }

    async fn said_again_it_stays_and_changed_it_starts_from_now(db: Db) {
        let bed = Bed::new(db).await;
        bed.tasks.ensure_schedule("s", each_minute()).await.unwrap();
        bed.clock.advance(seconds(600));
        bed.tasks.ensure_schedule("s", each_minute()).await.unwrap();
        let schedule = bed.tasks.find_schedule("s").await.unwrap().unwrap();
        assert_eq!((schedule.version, schedule.next_at), (1, bed.clock.now() - seconds(540)));
        let hourly = || ScheduleCreate { cron: "@hourly".to_owned(), ..each_minute() };
        let said = [bed.tasks.clone(), bed.another(), bed.another()]
            .map(|tasks| tokio::spawn(async move { tasks.ensure_schedule("s", hourly()).await }));
        for said in said {
            said.await.unwrap().unwrap();
        }
        let schedule = bed.tasks.find_schedule("s").await.unwrap().unwrap();
        assert_eq!((schedule.version, schedule.next_at), (2, bed.clock.now() + seconds(3_000)));
        assert_eq!(bed.tasks.list_schedules("").await.unwrap(), [schedule]);
        assert!(bed.tasks.list_schedules("s").await.unwrap().is_empty());
    }

    async fn a_paused_one_makes_nothing_and_goes_on_from_now(db: Db) {
        let bed = Bed::new(db).await;
        bed.tasks.ensure_schedule("s", each_minute()).await.unwrap();
        bed.tasks.pause_schedule("s").await.unwrap();
        bed.tick(5).await;
        assert!(bed.claim("w").await.is_empty());
        bed.tasks.resume_schedule("s").await.unwrap();
        bed.tasks.fire().await.unwrap();
        assert!(bed.claim("w").await.is_empty());
        bed.tick(1).await;
        let task = bed.claim_one("w").await;
        assert_eq!(bed.state(task.id).await, TaskState::Running);
        bed.tasks.remove_schedule("s").await.unwrap();
        assert!(bed.tasks.find_schedule("s").await.unwrap().is_none());
        assert!(matches!(bed.tasks.remove_schedule("s").await, Err(Error::NotFound)));
        assert!(matches!(bed.tasks.pause_schedule("s").await, Err(Error::NotFound)));
        assert_eq!(bed.state(task.id).await, TaskState::Running);
    }

    async fn what_is_no_schedule_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        for (new, code) in [
            (ScheduleCreate { cron: "60 * * * *".to_owned(), ..each_minute() }, "cron_invalid"),
            (ScheduleCreate { cron: "0 0 31 2 *".to_owned(), ..each_minute() }, "cron_never_fires"),
            (ScheduleCreate { time_zone: "Mars".to_owned(), ..each_minute() }, "time_zone_unknown"),
            (ScheduleCreate { priority: Some(-1), ..each_minute() }, "out_of_range"),
            (ScheduleCreate { max_attempts: Some(0), ..each_minute() }, "out_of_range"),
            (ScheduleCreate { timeout: Some(seconds(0)), ..each_minute() }, "out_of_range"),
            (ScheduleCreate { catch_up: 101, ..each_minute() }, "out_of_range"),
        ] {
            let refused = bed.tasks.ensure_schedule("s", new).await;
            assert!(matches!(refused, Err(Error::Invalid { invalid, .. }) if invalid.code == code), "{code}");
        }
        assert!(bed.tasks.ensure_schedule("no spaces", each_minute()).await.is_err());
        assert!(bed.tasks.find_schedule("s").await.unwrap().is_none());
    }
}
