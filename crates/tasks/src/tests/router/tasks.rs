use actix_web::http::Method;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Site, of, subject};

both! {
    async fn a_task_is_made_watched_and_read(db: Db) {
        let site = Site::new(db).await;
        let new = json!({ "name": "render", "payload": { "frame": 7 }, "priority": 10, "timeout_s": 60 });
        let made = site.post("ada", "/tasks", new).await;
        let location = made.header("location").to_owned();
        let body = made.is(201);
        assert_eq!(location, format!("/api/v1/tasks/{}", body["id"].as_str().unwrap()));
        assert_eq!((&body["state"], &body["existing"]), (&json!("ready"), &json!(false)));
        let path = location.strip_prefix("/api/v1").unwrap();

        let task = site.get("ada", path).await.is(200);
        assert_eq!((&task["state"], &task["priority"], &task["attempt"]), (&json!("ready"), &json!(10), &json!(0)));
        assert_eq!(task.get("payload"), None, "only where it is asked for");
        let lease = site.lease().await;
        let progress = json!({ "pct": 40, "msg": "frame 3 of 7" });
        site.end("robot", "heartbeat", of(&lease, json!({ "progress": progress }))).await;
        let task = site.get("ada", &format!("{path}?include=payload")).await.is(200);
        assert_eq!((&task["state"], &task["progress"]), (&json!("running"), &progress));
        assert_eq!(task["payload"], json!({ "frame": 7 }));
        site.end("robot", "complete", of(&lease, json!({ "result": [1, 2] }))).await;
        let task = site.get("ada", &format!("{path}?wait_s=30")).await.is(200);
        assert_eq!((&task["state"], &task["result"]), (&json!("succeeded"), &json!([1, 2])));
    }

    async fn a_task_of_another_owner_is_unknown(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}", site.task().await);
        for (method, path) in [
            (Method::GET, path.clone()),
            (Method::GET, format!("{path}/events")),
            (Method::POST, format!("{path}/cancel")),
        ] {
            let answer = site.ask("eve", method, &path, Value::Null).await;
            assert_eq!(answer.failure().1, "task_not_found", "{path}");
            assert_eq!(answer.status, 404);
        }
        assert_eq!(site.get("eve", "/tasks").await.is(200)["items"], json!([]));
        site.get("root", &path).await.is(200);
        for who in ["ada", "root"] {
            let listed = site.get(who, "/tasks?state=ready&queue=default&name=render").await.is(200);
            assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{who}");
        }
        assert_eq!(site.get("ada", "/tasks?name=other").await.is(200)["items"], json!([]));
    }

    async fn administrators_see_whose_task_it_is_and_list_one_owners(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}", site.task().await);
        site.bed.clock.advance(crate::tests::seconds(1));
        site.post("bob", "/tasks", json!({ "name": "render" })).await.is(201);
        site.bed.clock.advance(crate::tests::seconds(1));
        site.bed.create("mail.send").await;
        let owners = |page: Value| -> Vec<Value> {
            page["items"].as_array().unwrap().iter().map(|task| task["owner"].clone()).collect()
        };
        let [ada, bob] = ["ada", "bob"].map(|name| subject(name).to_string());
        assert_eq!(site.get("root", &path).await.is(200)["owner"], json!(ada));
        assert_eq!(owners(site.get("root", "/tasks").await.is(200)), [json!(""), json!(bob), json!(ada)]);
        let of_bob = format!("/tasks?owner={bob}");
        assert_eq!(owners(site.get("root", &of_bob).await.is(200)), [json!(bob)]);
        assert_eq!(owners(site.get("bob", &of_bob).await.is(200)), [json!(bob)]);
        assert!(owners(site.get("ada", &of_bob).await.is(200)).is_empty(), "nobody learns what others do");
        let wrong = site.get("root", "/tasks?owner=bob").await.failure();
        assert_eq!((wrong.0, wrong.2.as_str()), (422, "owner"));
    }

    async fn a_task_of_the_program_is_changed_by_nobody(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}", site.bed.create("mail.send").await);
        for (method, path, body) in [
            (Method::POST, format!("{path}/cancel"), Value::Null),
            (Method::POST, format!("{path}/retry"), Value::Null),
            (Method::PATCH, path.clone(), json!({ "priority": 999 })),
            (Method::DELETE, path.clone(), Value::Null),
        ] {
            let refused = site.ask("root", method, &path, body).await;
            assert_eq!((refused.status, refused.failure().1.as_str()), (403, "name_reserved"), "{path}");
        }
        assert_eq!(site.get("root", &path).await.is(200)["state"], "ready");
    }

    async fn a_task_may_be_told_nothing(db: Db) {
        let site = Site::new(db).await;
        let made = site.post("ada", "/tasks", json!({ "name": "render" })).await.is(201);
        let path = format!("/tasks/{}?include=payload", made["id"].as_str().unwrap());
        assert_eq!(site.get("ada", &path).await.is(200)["payload"], Value::Null);
    }

    async fn waiting_work_ends_at_once_and_running_work_is_asked(db: Db) {
        let site = Site::new(db).await;
        let waits = site.task().await;
        let cancelled = site.post("ada", &format!("/tasks/{waits}/cancel"), Value::Null).await.is(200);
        assert_eq!(cancelled["state"], "cancelled");
        let runs = site.task().await;
        let lease = site.lease().await;
        let asked = site.post("ada", &format!("/tasks/{runs}/cancel"), Value::Null).await.is(202);
        assert_eq!((&asked["state"], &asked["cancel_requested"]), (&json!("running"), &json!(true)));
        let beat = site.end("robot", "heartbeat", of(&lease, json!({}))).await;
        assert_eq!((&beat["ok"], &beat["cancel"]), (&json!(true), &json!(true)));
        site.end("robot", "release", of(&lease, json!({}))).await;
        assert_eq!(site.get("ada", &format!("/tasks/{runs}")).await.is(200)["state"], "cancelled");
    }

    async fn administrators_change_retry_and_delete(db: Db) {
        let site = Site::new(db).await;
        let path = format!("/tasks/{}", site.task().await);
        let change = json!({ "priority": 1, "run_at": "2030-01-01T01:00:00Z" });
        let changed = site.ask("root", Method::PATCH, &path, change).await.is(200);
        assert_eq!((&changed["state"], &changed["priority"]), (&json!("scheduled"), &json!(1)));
        assert_eq!(site.post("root", &format!("{path}/retry"), Value::Null).await.is(202)["state"], "ready");
        site.post("root", &format!("{path}/cancel"), Value::Null).await.is(200);
        assert_eq!(site.ask("root", Method::DELETE, &path, Value::Null).await.status, 204);
        site.get("root", &path).await.is(404);
    }

    async fn a_batch_tells_of_each_task_what_became_of_it(db: Db) {
        let site = Site::new(db).await;
        let items = json!({ "items": [
            { "name": "a", "payload": null },
            { "name": "a", "payload": 1, "unique_key": "k" },
            { "name": "a", "payload": 2, "unique_key": "k" },
            { "name": "a b", "payload": 3 },
            { "name": "mail.send", "payload": 4 },
            { "name": "a", "payload": 5, "priority": -1 },
            { "name": "b", "payload": 6, "delay_s": 60 },
        ]});
        let made = site.post("ada", "/tasks/batch", items).await.is(200);
        let made = made["items"].as_array().unwrap();
        let statuses: Vec<_> = made.iter().map(|item| item["status"].as_u64().unwrap()).collect();
        assert_eq!(statuses, [201, 201, 200, 422, 403, 422, 201]);
        assert_eq!(made[1]["id"], made[2]["id"]);
        assert_eq!(made[3]["errors"][0]["code"], "name_invalid");
        assert_eq!(made[3]["errors"][0]["loc"], json!(["body", "items", "3", "name"]));
        assert_eq!(made[4]["code"], "name_reserved");
        assert_eq!(made[5]["errors"][0]["code"], "out_of_range");
        let listed = site.get("ada", "/tasks").await.is(200);
        assert_eq!(listed["items"].as_array().unwrap().len(), 3);
    }

    async fn a_batch_may_come_line_by_line(db: Db) {
        let site = Site::new(db).await;
        let send = async |lines: String, key: &str| {
            let request = actix_web::test::TestRequest::post()
                .uri("/api/v1/tasks/batch")
                .insert_header(("authorization", "Bearer ada"))
                .insert_header(("content-type", "application/x-ndjson"))
                .insert_header(("idempotency-key", key))
                .set_payload(lines);
            site.send(request).await
        };
        let lines = "{\"name\":\"a\",\"payload\":1}\n\n{\"name\":\"a b\"}\r\n{\"name\":\"b\"}\n";
        let made = send(lines.to_owned(), "k1").await.is(200);
        let statuses: Vec<_> = made["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
        assert_eq!(statuses, [json!(201), json!(422), json!(201)]);
        assert_eq!(made["items"][1]["errors"][0]["loc"], json!(["body", "items", "1", "name"]));
        let again = send(lines.to_owned(), "k1").await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(again.is(200), made);
        for (lines, status, code) in [
            ("{\"name\":\"a\"}\n{\"name\":\"a\",\"owner\":\"eve\"}".to_owned(), 422, "unknown_field"),
            ("{\"name\":\"a\"}\n{\"name\":".to_owned(), 400, "body_invalid"),
            ("{\"name\":\"a\"}\n".repeat(1_001), 413, "batch_too_large"),
        ] {
            let refused = send(lines, "k2").await.failure();
            assert_eq!((refused.0, refused.1.as_str()), (status, code));
        }
        assert_eq!(site.get("ada", "/tasks").await.is(200)["items"].as_array().unwrap().len(), 2);
    }

    async fn a_payload_comes_to_the_worker_byte_for_byte(db: Db) {
        let site = Site::new(db).await;
        let payload = "{ \"b\" :1.0,  \"a\":\"\\u0000\" }";
        let request = actix_web::test::TestRequest::post()
            .uri("/api/v1/tasks")
            .insert_header(("authorization", "Bearer ada"))
            .insert_header(("content-type", "application/json"))
            .set_payload(format!("{{\"name\":\"n\",\"payload\":{payload}}}"));
        site.send(request).await.is(201);
        let wanted = json!({ "worker": "w1", "queues": ["default"] });
        let leased = site.post("robot", "/leases", wanted).await;
        assert!(leased.text.contains(payload), "{}", leased.text);
    }
}
