//! The table of bad input: each its own code, and nothing is changed.

use actix_web::http::Method;
use cgcg_core::{Db, Size};
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Site, of};
use crate::{Settings, TaskId};

fn with(field: &str, value: Value) -> Value {
    let mut new = json!({ "name": "n", "payload": 1 });
    new[field] = value;
    new
}

both! {
    async fn a_task_that_does_not_fit_is_refused_with_its_own_code(db: Db) {
        let settings = Settings { payload_limit: Size::kib(1), ..Settings::default() };
        let site = Site::with(db, settings).await;
        for (field, value, status, code) in [
            ("name", json!(""), 422, "name_invalid"),
            ("name", json!("a b"), 422, "name_invalid"),
            ("name", json!("x".repeat(129)), 422, "name_invalid"),
            ("name", json!("_own"), 403, "name_reserved"),
            ("name", json!("mail.send"), 403, "name_reserved"),
            ("name", json!("mail-late"), 403, "name_reserved"),
            ("queue", json!("x".repeat(65)), 422, "queue_invalid"),
            ("queue", json!("_own"), 403, "name_reserved"),
            ("payload", json!("x".repeat(1_025)), 413, "payload_too_large"),
            ("priority", json!(-1), 422, "out_of_range"),
            ("priority", json!(1_000), 422, "out_of_range"),
            ("priority", json!(70_000), 422, "out_of_range"),
            ("max_attempts", json!(0), 422, "out_of_range"),
            ("max_attempts", json!(101), 422, "out_of_range"),
            ("timeout_s", json!(0), 422, "out_of_range"),
            ("timeout_s", json!(604_801), 422, "out_of_range"),
            ("delay_s", json!(-1), 422, "out_of_range"),
            ("delay_s", json!(6 * 366 * 86_400), 422, "run_at_too_far"),
            ("run_at", json!("2040-01-01T00:00:00Z"), 422, "run_at_too_far"),
            ("run_at", json!("tomorrow"), 422, "time_invalid"),
            ("unique_key", json!(""), 422, "key_empty"),
            ("unique_key", json!("x".repeat(257)), 422, "key_too_long"),
            ("unique_for_s", json!(60), 422, "unique_key_missing"),
            ("concurrency_key", json!("x".repeat(129)), 422, "key_too_long"),
            ("concurrency_key", json!("a\0"), 422, "text_invalid"),
            ("unique_key", json!("a\0"), 422, "text_invalid"),
            ("priority", json!("1"), 422, "wrong_type"),
            ("owner", json!("eve"), 422, "unknown_field"),
        ] {
            let failure = site.post("ada", "/tasks", with(field, value)).await.failure();
            assert_eq!((failure.0, failure.1.as_str()), (status, code), "{field}");
            if status == 422 && code != "unique_key_missing" {
                assert_eq!(failure.2, field);
            }
        }
        let both = json!({ "name": "n", "payload": 1, "delay_s": 1, "run_at": "2030-01-01T00:00:01Z" });
        assert_eq!(site.post("ada", "/tasks", both).await.failure().1, "run_at_ambiguous");
        let missing = site.post("ada", "/tasks", json!({ "payload": 1 })).await.failure();
        assert_eq!((missing.1.as_str(), missing.2.as_str()), ("missing_field", "name"));
        let many = json!({ "items": vec![json!({ "name": "n", "payload": 1 }); 1_001] });
        let many = site.post("ada", "/tasks/batch", many).await;
        assert_eq!((many.status, many.failure().1.as_str()), (413, "batch_too_large"));
        assert_eq!(site.get("root", "/tasks").await.is(200)["items"], json!([]));
    }

    async fn what_is_no_json_or_no_id_is_told_so(db: Db) {
        let site = Site::new(db).await;
        for (body, status, code) in [
            ("{", 400, "body_invalid"),
            ("{\"name\":\"n\",\"payload\":[1,}", 400, "body_invalid"),
        ] {
            let request = actix_web::test::TestRequest::post()
                .uri("/api/v1/tasks")
                .insert_header(("authorization", "Bearer ada"))
                .insert_header(("content-type", "application/json"))
                .set_payload(body);
            let answer = site.send(request).await;
            assert_eq!((answer.status, answer.failure().1.as_str()), (status, code), "{body}");
        }
        let deep = format!("{{\"name\":\"n\",\"payload\":{}{}}}", "[".repeat(200), "]".repeat(200));
        let request = actix_web::test::TestRequest::post()
            .uri("/api/v1/tasks")
            .insert_header(("authorization", "Bearer ada"))
            .insert_header(("content-type", "application/json"))
            .set_payload(deep);
        assert_eq!(site.send(request).await.failure().1, "payload_invalid");
        assert_eq!(site.get("ada", "/tasks/7").await.failure().1, "id_invalid");
        assert_eq!(site.get("ada", "/tasks?limit=0").await.failure().1, "out_of_range");
        assert_eq!(site.get("ada", "/tasks?cursor=x").await.failure().1, "cursor_invalid");
        assert_eq!(site.get("ada", "/tasks?state=lost").await.failure().1, "value_unknown");
        let id = site.task().await;
        assert_eq!(site.get("ada", &format!("/tasks/{id}?wait_s=31")).await.failure().1, "out_of_range");
    }

    async fn a_change_against_the_state_of_a_task_is_refused(db: Db) {
        let site = Site::new(db).await;
        let change = json!({ "priority": 5 });
        let refused = async |method: Method, path: &str, body: Value| {
            let answer = site.ask("root", method, path, body).await;
            (answer.status, answer.failure().1)
        };
        let unknown = format!("/tasks/{}", TaskId::from_uuid(uuid::Uuid::nil()));
        let not_found = (404, "task_not_found".to_owned());
        assert_eq!(refused(Method::GET, &unknown, Value::Null).await, not_found);
        assert_eq!(refused(Method::PATCH, &unknown, change.clone()).await, not_found);
        assert_eq!(refused(Method::DELETE, &unknown, Value::Null).await, not_found);
        assert_eq!(refused(Method::POST, &format!("{unknown}/cancel"), Value::Null).await, not_found);
        assert_eq!(refused(Method::POST, &format!("{unknown}/retry"), Value::Null).await, not_found);

        let runs = format!("/tasks/{}", site.task().await);
        assert_eq!(refused(Method::DELETE, &runs, Value::Null).await, (409, "task_not_finished".to_owned()));
        let lease = site.lease().await;
        let running = (409, "task_running".to_owned());
        assert_eq!(refused(Method::PATCH, &runs, change.clone()).await, running);
        assert_eq!(refused(Method::DELETE, &runs, Value::Null).await, running);
        assert_eq!(refused(Method::POST, &format!("{runs}/retry"), Value::Null).await, running);
        site.end("robot", "complete", of(&lease, json!({}))).await;
        let finished = site.post("root", &format!("{runs}/cancel"), Value::Null).await;
        assert_eq!((finished.status, finished.failure().1.as_str()), (409, "task_finished"));
        assert_eq!(finished.json()["state"], "succeeded");
        assert_eq!(refused(Method::PATCH, &runs, change).await, (409, "task_finished".to_owned()));
        assert_eq!(refused(Method::POST, &format!("{runs}/retry"), Value::Null).await, (409, "task_not_retryable".to_owned()));
        assert_eq!(refused(Method::PATCH, &runs, json!({ "priority": null })).await.1, "null_not_allowed");
    }

    async fn a_retry_whose_unique_key_lives_again_is_refused(db: Db) {
        let site = Site::new(db).await;
        let new = json!({ "name": "n", "payload": 1, "unique_key": "k" });
        let first = site.post("ada", "/tasks", new.clone()).await.is(201);
        let first = format!("/tasks/{}", first["id"].as_str().unwrap());
        site.post("ada", &format!("{first}/cancel"), Value::Null).await.is(200);
        let second = site.post("ada", "/tasks", new.clone()).await.is(201);
        let duplicate = site.post("ada", "/tasks", new).await.is(200);
        assert_eq!((&duplicate["id"], &duplicate["existing"]), (&second["id"], &json!(true)));
        let refused = site.post("root", &format!("{first}/retry"), Value::Null).await;
        assert_eq!((refused.status, refused.failure().1.as_str()), (409, "unique_key_taken"));
        assert_eq!(refused.json()["existing_id"], second["id"]);
    }

    async fn each_route_asks_for_its_scope(db: Db) {
        let site = Site::new(db).await;
        let id = TaskId::from_uuid(uuid::Uuid::nil());
        for (who, method, path, scope) in [
            ("robot", Method::POST, "/tasks".to_owned(), "tasks:create"),
            ("robot", Method::POST, "/tasks/batch".to_owned(), "tasks:create"),
            ("robot", Method::GET, "/tasks".to_owned(), "tasks:read"),
            ("robot", Method::GET, format!("/tasks/{id}/events"), "tasks:read"),
            ("robot", Method::POST, format!("/tasks/{id}/cancel"), "tasks:cancel"),
            ("ada", Method::POST, format!("/tasks/{id}/retry"), "tasks:admin"),
            ("ada", Method::PATCH, format!("/tasks/{id}"), "tasks:admin"),
            ("ada", Method::DELETE, format!("/tasks/{id}"), "tasks:admin"),
            ("ada", Method::GET, "/queues".to_owned(), "tasks:admin"),
            ("ada", Method::PUT, "/queues/q".to_owned(), "tasks:admin"),
            ("ada", Method::POST, "/schedules".to_owned(), "tasks:admin"),
            ("ada", Method::GET, "/leases".to_owned(), "tasks:admin"),
            ("ada", Method::POST, "/leases".to_owned(), "tasks:work"),
            ("ada", Method::POST, "/leases/complete".to_owned(), "tasks:work"),
            ("ada", Method::POST, "/leases/heartbeat".to_owned(), "tasks:work"),
        ] {
            let answer = site.ask(who, method.clone(), &path, json!({})).await;
            assert_eq!((answer.status, answer.json()["scope"].as_str()), (403, Some(scope)), "{method} {path}");
        }
    }
}
