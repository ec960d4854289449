use actix_web::http::Method;
use cgcg_core::{Db, Engine, on};
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Site, of, subject};
use crate::batch::ClaimItem;
use crate::router::leases::held::Held;
use crate::tests::metrics::Kept;
use crate::tests::{new, seconds};
use crate::{Settings, TaskId, TaskState};

fn wants(wait_s: u64) -> Value {
    json!({ "worker": "w1", "queues": ["default"], "max": 10, "wait_s": wait_s })
}

both! {
    async fn a_worker_takes_tasks_and_ends_them_in_every_way(db: Db) {
        let site = Site::new(db).await;
        for name in ["done", "fails", "dies", "later", "back"] {
            site.post("ada", "/tasks", json!({ "name": name, "payload": name, "max_attempts": 2 })).await.is(201);
        }
        let leased = site.post("robot", "/leases", wants(0)).await.is(200);
        let leases = leased["items"].as_array().unwrap();
        let names: Vec<_> = leases.iter().map(|lease| lease["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["done", "fails", "dies", "later", "back"]);
        assert_eq!((&leases[0]["ttl_ms"], &leases[0]["attempt"]), (&json!(30_000), &json!(1)));
        assert_eq!((&leases[0]["timeout_ms"], &leases[0]["payload"]), (&json!(3_600_000), &json!("done")));
        let wrong = site.get("root", "/leases?queue=a%20b").await.json();
        assert_eq!(wrong["errors"][0]["loc"], json!(["query", "queue"]));
        let running = site.get("root", "/leases?queue=default").await.is(200);
        assert_eq!(running["items"][0]["worker"], format!("{}:w1", subject("robot")));

        let lost = json!("lease_lost");
        for (verb, index, more, state, repeat) in [
            ("complete", 0, json!({ "result": { "ok": true } }), "succeeded", &Value::Null),
            ("fail", 1, json!({ "error": "no route", "code": "net" }), "scheduled", &lost),
            ("fail", 2, json!({ "error": "never", "dead": true }), "failed", &Value::Null),
            ("snooze", 3, json!({ "delay_s": 60 }), "scheduled", &lost),
            ("release", 4, json!({}), "ready", &lost),
        ] {
            let item = of(&leases[index], more);
            assert_eq!(site.end("robot", verb, item.clone()).await["ok"], true, "{verb}");
            let path = format!("/tasks/{}", leases[index]["id"].as_str().unwrap());
            assert_eq!(site.get("ada", &path).await.is(200)["state"], state, "{verb}");
            let again = site.end("robot", verb, item).await;
            assert_eq!((&again["ok"], &again["code"]), (&json!(repeat.is_null()), repeat), "{verb}");
        }
        let failed = site.get("ada", &format!("/tasks/{}", leases[1]["id"].as_str().unwrap())).await.is(200);
        let error = &failed["errors"][0];
        assert_eq!((&error["code"], &error["error"], &error["attempt"]), (&json!("net"), &json!("no route"), &json!(1)));
    }

    async fn whoever_lost_the_answer_says_it_again_and_the_first_result_stands(db: Db) {
        let site = Site::new(db).await;
        let id: TaskId = site.task().await.parse().unwrap();
        let lease = site.lease().await;
        let first = of(&lease, json!({ "result": 1 }));
        let twice = json!({ "worker": "w1", "items": [first, of(&lease, json!({ "result": 2 }))] });
        let said = site.post("robot", "/leases/complete", twice).await.is(200);
        assert_eq!((&said["items"][0]["ok"], &said["items"][1]["ok"]), (&json!(true), &json!(true)));
        site.bed.tasks.sweep().await.unwrap();
        assert_eq!(site.end("robot", "complete", of(&lease, json!({ "result": 3 }))).await["ok"], true);
        assert_eq!(site.bed.status(id).await.result.as_deref(), Some("1"));
        for verb in ["fail", "release", "heartbeat"] {
            let more = if verb == "fail" { json!({ "error": "e" }) } else { json!({}) };
            assert_eq!(site.end("robot", verb, of(&lease, more)).await["code"], "lease_lost", "{verb}");
        }
        assert_eq!(site.end("drone", "complete", of(&lease, json!({}))).await["code"], "lease_lost");
        let mut older = of(&lease, json!({}));
        older["lease"] = json!(0);
        assert_eq!(site.end("robot", "complete", older).await["code"], "lease_lost");
    }

    async fn what_failed_and_was_asked_for_again_is_nobodys(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}", site.task().await);
        let lease = site.lease().await;
        let dead = of(&lease, json!({ "error": "never", "dead": true }));
        for swept in [false, true] {
            if swept {
                site.bed.tasks.sweep().await.unwrap();
            }
            assert_eq!(site.end("robot", "fail", dead.clone()).await["ok"], true);
            assert_eq!(site.end("robot", "complete", of(&lease, json!({}))).await["code"], "lease_lost");
        }
        site.post("root", &format!("{path}/retry"), Value::Null).await.is(202);
        assert_eq!(site.end("robot", "fail", dead.clone()).await["code"], "lease_lost");
        site.post("root", &format!("{path}/cancel"), Value::Null).await.is(200);
        assert_eq!(site.end("robot", "fail", dead).await["code"], "lease_lost", "somebody else ended it");
    }

    async fn the_trace_of_the_request_comes_to_the_worker_and_a_wrong_one_does_not(db: Db) {
        let site = Site::new(db).await;
        let trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let (one, batch) = (json!({ "name": "n" }), json!({ "items": [{ "name": "n" }] }));
        for (path, body, header, kept) in [
            ("/tasks", &one, Some(trace), json!(trace)),
            ("/tasks/batch", &batch, Some(trace), json!(trace)),
            ("/tasks", &one, Some("00-0-0-0"), Value::Null),
            ("/tasks", &one, None, Value::Null),
        ] {
            let headers: Vec<_> = header.iter().map(|trace| ("traceparent", *trace)).collect();
            let made = site.ask_with("ada", Method::POST, path, body.clone(), &headers).await;
            assert!(matches!(made.status, 200 | 201), "{}", made.text);
            let lease = site.lease().await;
            assert_eq!(lease["traceparent"], kept, "{path} {header:?}");
            site.end("robot", "complete", of(&lease, json!({}))).await;
        }
    }

    async fn what_workers_over_http_end_is_counted(db: Db) {
        let site = Site::new(db).await;
        let kept = Kept::default();
        let _local = metrics::set_default_local_recorder(&kept);
        for (verb, more) in [
            ("complete", json!({})),
            ("fail", json!({ "error": "e", "dead": true })),
            ("snooze", json!({ "delay_s": 60 })),
        ] {
            site.task().await;
            let lease = site.lease().await;
            for who in ["robot", "robot", "drone"] {
                site.end(who, verb, of(&lease, more.clone())).await;
            }
        }
        assert_eq!(kept.counter("cgcg_tasks_stale_refused_total"), Some(4), "a repeat of an end is not stale");
        let count = |outcome| {
            kept.counter(&format!("cgcg_tasks_finished_total name=other outcome={outcome}"))
        };
        assert_eq!(["succeeded", "failed", "snoozed", "retried"].map(count), [Some(1), Some(1), Some(1), None]);
    }

    async fn the_last_attempt_fails_for_good(db: Db) {
        let site = Site::new(db).await;
        let made = site.post("ada", "/tasks", json!({ "name": "n", "payload": 1, "max_attempts": 1 })).await.is(201);
        let lease = site.lease().await;
        site.end("robot", "fail", of(&lease, json!({ "error": "no", "retry_after_s": 1 }))).await;
        let path = format!("/tasks/{}", made["id"].as_str().unwrap());
        assert_eq!(site.get("ada", &path).await.is(200)["state"], "failed");
    }

    async fn nobody_ends_the_lease_of_another_worker(db: Db) {
        let site = Site::new(db).await;
        let id = site.task().await;
        let lease = site.lease().await;
        let older = json!({ "id": lease["id"], "lease": 0 });
        let ask = |who: &'static str, worker: &'static str, item: Value| {
            let body = json!({ "worker": worker, "items": [item] });
            let site = &site;
            async move { site.post(who, "/leases/complete", body).await.is(200)["items"][0]["code"].clone() }
        };
        assert_eq!(ask("drone", "w1", of(&lease, json!({}))).await, "lease_lost", "the same name of another principal");
        assert_eq!(ask("robot", "w2", of(&lease, json!({}))).await, "lease_lost");
        assert_eq!(ask("robot", "w1", older).await, "lease_lost");
        assert_eq!(site.bed.state(id.parse().unwrap()).await, TaskState::Running);
        assert_eq!(ask("robot", "w1", of(&lease, json!({}))).await, Value::Null);
    }

    async fn a_late_completion_over_http_is_refused(db: Db) {
        let site = Site::new(db).await;
        let id = site.task().await;
        let first = site.lease().await;
        let mut guard = crate::service::tend::rescue::Guard::default();
        site.bed.tasks.rescue(&mut guard).await.unwrap();
        site.bed.clock.advance(seconds(31));
        site.bed.tasks.rescue(&mut guard).await.unwrap();
        site.bed.pass(seconds(60)).await;
        let second = site.lease().await;
        assert_eq!(second["lease"], 2);
        assert_eq!(site.end("robot", "complete", of(&first, json!({ "result": "old" }))).await["code"], "lease_lost");
        assert_eq!(site.end("robot", "heartbeat", of(&first, json!({}))).await["code"], "lease_lost");
        assert_eq!(site.end("robot", "complete", of(&second, json!({ "result": "new" }))).await["ok"], true);
        let status = site.bed.status(id.parse().unwrap()).await;
        assert_eq!(status.result.as_deref(), Some("\"new\""));
    }

    async fn a_heartbeat_keeps_the_lease(db: Db) {
        let site = Site::new(db).await;
        let id = site.task().await;
        let lease = site.lease().await;
        let mut guard = crate::service::tend::rescue::Guard::default();
        for _ in 0..5 {
            site.bed.tasks.rescue(&mut guard).await.unwrap();
            assert_eq!(site.end("robot", "heartbeat", of(&lease, json!({}))).await["ok"], true);
            site.bed.clock.advance(seconds(20));
        }
        assert_eq!(site.bed.state(id.parse().unwrap()).await, TaskState::Running);
    }

    async fn a_worker_that_waits_gets_what_comes(db: Db) {
        let site = Site::new(db).await;
        let (leased, _) = tokio::join!(site.post("robot", "/leases", wants(30)), async {
            site.bed.clock.wait_for_sleepers(1).await;
            site.task().await
        });
        assert_eq!(leased.is(200)["items"].as_array().unwrap().len(), 1);
        let nothing = tokio::select! {
            nothing = site.post("robot", "/leases", wants(2)) => nothing,
            () = site.time_passes(seconds(1)) => unreachable!(),
        };
        assert_eq!(nothing.is(200)["items"], json!([]));
    }

    async fn what_is_being_taken_when_the_program_stops_is_handed_over(db: Db) {
        let site = Site::new(db).await;
        let wanted = json!({ "worker": "w1", "queues": ["default"], "names": ["render"], "wait_s": 30 });
        let (leased, ()) = tokio::join!(site.post("robot", "/leases", wanted), async {
            // The time of the wait, and the next look.
            site.bed.clock.wait_for_sleepers(2).await;
            let mut conn = site.bed.db.begin().await.unwrap();
            let new = new("render", &json!({}));
            site.bed.tasks.create_in(&mut conn, new).await.unwrap();
            if site.bed.db.engine() == Engine::Postgres {
                let sql = "lock table task in access exclusive mode";
                on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
            }
            site.bed.clock.advance(seconds(6));
            cgcg_testkit::eventually("it looks", async || site.bed.clock.sleepers() < 2).await;
            site.host.stopping().cancel();
            tokio::task::yield_now().await;
            conn.commit().await.unwrap();
        });
        assert_eq!(leased.is(200)["items"].as_array().unwrap().len(), 1);
    }

    async fn what_was_taken_for_a_client_that_hung_up_is_given_back(db: Db) {
        let site = Site::new(db).await;
        let id = site.task().await.parse().unwrap();
        {
            let mut held = Held::new(site.bed.tasks.clone(), "w".into());
            let item = ClaimItem {
                queue: "default".into(),
                limit: 1,
                ahead: 0,
                lease: seconds(30),
                worker: "w".into(),
                names: ["render".to_owned()].into(),
            };
            held.add(&"default".into(), site.bed.tasks.claim(item).await.unwrap().tasks);
            assert_eq!(site.bed.state(id).await, TaskState::Running);
        }
        cgcg_testkit::eventually("it is given back", async || site.bed.state(id).await == TaskState::Ready).await;
        assert_eq!(site.bed.status(id).await.attempt, 0, "that was no attempt");
    }

    async fn a_worker_takes_from_its_own_queues_alone(db: Db) {
        let robot = subject("robot").to_string();
        let settings = Settings {
            work_queues: [(robot, vec!["farm".to_owned(), "gpu-*".to_owned()])].into(),
            ..Settings::default()
        };
        let site = Site::with(db, settings).await;
        for (who, queue, code) in [
            ("robot", "farm", ""),
            ("robot", "gpu-1", ""),
            ("robot", "default", "queue_not_allowed"),
            ("drone", "farm", "queue_not_allowed"),
            ("robot", "_own", "name_reserved"),
            ("robot", "mail-late", "name_reserved"),
        ] {
            let answer = site.post(who, "/leases", json!({ "worker": "w", "queues": [queue] })).await;
            assert_eq!(answer.failure().1, code, "{who} {queue}");
        }
    }

    async fn the_programs_own_work_is_not_leased(db: Db) {
        let site = Site::new(db).await;
        site.bed.create("mail.send").await;
        let leased = site.post("robot", "/leases", wants(0)).await.is(200);
        assert_eq!(leased["items"], json!([]));
        let wanted = json!({ "worker": "w", "queues": ["default"], "names": ["mail.send"] });
        assert_eq!(site.post("robot", "/leases", wanted).await.failure().1, "name_reserved");
    }

    async fn what_does_not_fit_is_told_of_each_item_and_the_lease_stays(db: Db) {
        let settings = Settings { result_limit: cgcg_core::Size::kib(1), ..Settings::default() };
        let site = Site::with(db, settings).await;
        let id = site.task().await.parse().unwrap();
        let lease = site.lease().await;
        for (verb, more, code) in [
            ("complete", json!({ "result": "x".repeat(1_100) }), "payload_too_large"),
            ("fail", json!({ "error": "e", "code": "No" }), "code_invalid"),
            ("fail", json!({ "error": "e", "dead": true, "retry_after_s": 1 }), "retry_ambiguous"),
            ("fail", json!({ "error": "e", "retry_after_s": -1 }), "out_of_range"),
            ("snooze", json!({ "delay_s": 604_801 }), "out_of_range"),
            ("heartbeat", json!({ "progress": { "pct": 101 } }), "out_of_range"),
            ("heartbeat", json!({ "progress": { "msg": "a\0" } }), "text_invalid"),
            ("heartbeat", json!({ "progress": { "data": "x".repeat(5_000) } }), "payload_too_large"),
        ] {
            assert_eq!(site.end("robot", verb, of(&lease, more)).await["code"], code, "{verb}");
            assert_eq!(site.bed.state(id).await, TaskState::Running);
        }
        let nul = site.end("robot", "fail", of(&lease, json!({ "error": "a\0b" }))).await;
        assert_eq!(nul["ok"], true);
        for (body, code) in [
            (json!({ "worker": "a b", "queues": ["q"] }), "worker_invalid"),
            (json!({ "worker": "w", "queues": [] }), "out_of_range"),
            (json!({ "worker": "w", "queues": ["q"], "max": 101 }), "out_of_range"),
            (json!({ "worker": "w", "queues": ["q"], "ttl_s": 4 }), "out_of_range"),
            (json!({ "worker": "w", "queues": ["q"], "wait_s": 31 }), "out_of_range"),
            (json!({ "worker": "w", "queues": ["q q"] }), "queue_invalid"),
        ] {
            let answer = site.ask("robot", Method::POST, "/leases", body).await;
            assert_eq!((answer.status, answer.failure().1.as_str()), (422, code));
        }
    }
}
