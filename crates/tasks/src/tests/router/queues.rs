use actix_web::http::Method;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Answer, Site};
use crate::tests::seconds;

const NEW: (&str, &str) = ("if-none-match", "*");

async fn put(site: &Site, limits: Value, condition: (&'static str, &str)) -> Answer {
    site.ask_with("root", Method::PUT, "/queues/default", limits, &[condition])
        .await
}

both! {
    async fn the_queue_of_the_program_has_no_limits_of_others(db: Db) {
        let site = Site::new(db).await;
        for (method, body) in [(Method::PUT, json!({ "paused": true })), (Method::PATCH, json!({ "paused": true }))] {
            let refused = site.ask_with("root", method, "/queues/_own", body, &[("if-match", "*")]).await;
            assert_eq!((refused.status, refused.failure().1.as_str()), (403, "name_reserved"));
        }
        assert_eq!(site.get("root", "/queues/_own").await.is(200)["paused"], false);
    }

    async fn a_paused_queue_gives_nothing_until_it_goes_on(db: Db) {
        let site = Site::new(db).await;
        site.task().await;
        let paused = put(&site, json!({ "paused": true }), NEW).await;
        let etag = paused.header("etag").to_owned();
        let queue = paused.is(200);
        assert_eq!((&queue["paused"], &queue["ready"], &queue["max_running"]), (&json!(true), &json!(1), &Value::Null));
        assert_eq!(site.lease().await, Value::Null);
        let resume = json!({ "paused": false, "max_running": 1, "rate": { "n": 5, "per_ms": 1_000 } });
        let resumed = site.ask_with("root", Method::PATCH, "/queues/default", resume, &[("if-match", &etag)]).await.is(200);
        assert_eq!((&resumed["max_running"], &resumed["rate"]["per_ms"]), (&json!(1), &json!(1_000)));
        assert!(site.lease().await.is_object());
        let listed = site.get("root", "/queues").await.is(200);
        assert_eq!(listed["items"][0]["name"], "default");
        site.bed.clock.advance(seconds(16));
        assert_eq!(site.get("root", "/queues/default").await.is(200)["running"], 1);
        assert_eq!(site.get("root", "/queues/other").await.header("etag"), "\"0\"");
    }

    async fn who_has_not_read_the_limits_does_not_change_them(db: Db) {
        let site = Site::new(db).await;
        let limits = json!({ "max_running": 2 });
        let blind = site.ask("root", Method::PUT, "/queues/default", limits.clone()).await;
        assert_eq!((blind.status, blind.failure().1.as_str()), (428, "if_match_required"));
        put(&site, limits.clone(), NEW).await.is(200);
        for condition in [NEW, ("if-match", "\"7\"")] {
            let late = put(&site, json!({}), condition).await;
            assert_eq!((late.status, late.failure().1.as_str()), (412, "version_mismatch"));
        }
        for wrong in [
            json!({ "max_running": 0 }),
            json!({ "max_per_key": -1 }),
            json!({ "rate": { "n": 0, "per_ms": 1_000 } }),
            json!({ "rate": { "n": 1, "per_ms": 86_400_001 } }),
            json!({ "key_rate": { "n": 1, "per_ms": 0 } }),
        ] {
            let refused = put(&site, wrong.clone(), ("if-match", "*")).await;
            assert_eq!((refused.status, refused.failure().1.as_str()), (422, "limit_invalid"), "{wrong}");
        }
        let half = put(&site, json!({ "rate": { "n": 1 } }), ("if-match", "*")).await;
        assert_eq!(half.failure().1, "missing_field");
        let stands = site.get("root", "/queues/default").await.is(200);
        assert_eq!((&stands["max_running"], &stands["rate"]), (&json!(2), &Value::Null));
        let cleared = site.ask_with("root", Method::PATCH, "/queues/default", json!({ "max_running": null }), &[("if-match", "*")]).await;
        assert_eq!(cleared.is(200)["max_running"], Value::Null);
    }
}
