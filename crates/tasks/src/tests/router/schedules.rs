use actix_web::http::Method;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::Site;
use crate::tests::seconds;

fn nightly() -> Value {
    json!({ "name": "nightly", "cron": "0 2 * * *", "time_zone": "europe/berlin", "task": "sweep", "payload": { "all": true } })
}

both! {
    async fn a_schedule_is_made_changed_run_and_removed(db: Db) {
        let site = Site::new(db).await;
        let made = site.post("root", "/schedules", nightly()).await;
        let (etag, location) = (made.header("etag").to_owned(), made.header("location").to_owned());
        let made = made.is(201);
        assert_eq!((location.as_str(), &made["next_at"]), ("/api/v1/schedules/nightly", &json!("2030-01-01T01:00:00.000000Z")));
        assert_eq!((&made["overlap"], &made["catch_up"], &made["timeout_s"]), (&json!("skip"), &json!(1), &json!(3_600)));
        assert_eq!(site.post("root", "/schedules", nightly()).await.failure().1, "schedule_taken");
        assert_eq!(site.get("root", "/schedules").await.is(200)["items"][0], made);

        let path = "/schedules/nightly";
        let change = json!({ "cron": "30 3 * * *", "payload": null, "paused": true });
        let changed = site.ask_with("root", Method::PATCH, path, change.clone(), &[("if-match", &etag)]).await.is(200);
        assert_eq!((&changed["next_at"], &changed["payload"]), (&json!("2030-01-01T02:30:00.000000Z"), &Value::Null));
        assert_eq!((&changed["paused"], &changed["time_zone"]), (&json!(true), &json!("Europe/Berlin")));
        let late = site.ask_with("root", Method::PATCH, path, change.clone(), &[("if-match", &etag)]).await;
        assert_eq!((late.status, late.failure().1.as_str()), (412, "version_mismatch"));
        assert_eq!(site.ask("root", Method::PATCH, path, change).await.failure().1, "if_match_required");
        site.bed.clock.advance(seconds(24 * 3_600));
        site.bed.tasks.fire().await.unwrap();
        assert_eq!(site.get("root", "/tasks").await.is(200)["items"], json!([]), "it is paused");

        let run = site.post("root", &format!("{path}/run"), Value::Null).await.is(201);
        let task = site.get("root", &format!("/tasks/{}?include=payload", run["id"].as_str().unwrap())).await.is(200);
        assert_eq!((&task["name"], &task["payload"]), (&json!("sweep"), &Value::Null));
        // PostgreSQL was asked for a NUL, which it cannot hold: 500.
        for name in ["%00", "a%20b"] {
            let (path, run) = (format!("/schedules/{name}"), format!("/schedules/{name}/run"));
            for (method, path) in [(Method::GET, &path), (Method::DELETE, &path), (Method::PATCH, &path), (Method::POST, &run)] {
                let answer = site.ask_with("root", method, path, json!({}), &[("if-match", &etag)]).await;
                assert_eq!((answer.status, answer.failure().1.as_str()), (404, "schedule_not_found"), "{path}");
            }
        }
        assert_eq!(site.ask("root", Method::DELETE, path, Value::Null).await.status, 204);
        assert_eq!(site.get("root", path).await.failure().1, "schedule_not_found");
    }

    async fn a_schedule_that_does_not_fit_is_refused_with_its_own_code(db: Db) {
        let site = Site::new(db).await;
        for (field, value, status, code) in [
            ("name", json!("a b"), 422, "name_invalid"),
            ("name", json!("_own"), 403, "name_reserved"),
            ("task", json!("mail.send"), 403, "name_reserved"),
            ("queue", json!("_own"), 403, "name_reserved"),
            ("cron", json!("61 * * * *"), 422, "cron_invalid"),
            ("cron", json!("0 0 31 2 *"), 422, "cron_never_fires"),
            ("time_zone", json!("Europe/Bielefeld"), 422, "time_zone_unknown"),
            ("priority", json!(-1), 422, "out_of_range"),
            ("catch_up", json!(101), 422, "out_of_range"),
            ("catch_up", json!(1_000), 422, "out_of_range"),
            ("timeout_s", json!(0), 422, "out_of_range"),
            ("overlap", json!("queue"), 422, "value_unknown"),
        ] {
            let mut new = nightly();
            new[field] = value;
            let failure = site.post("root", "/schedules", new).await.failure();
            assert_eq!((failure.0, failure.1.as_str()), (status, code), "{field}");
            if status == 422 {
                assert_eq!(failure.2, field);
            }
        }
        assert_eq!(site.get("root", "/schedules").await.is(200)["items"], json!([]));
    }
}
