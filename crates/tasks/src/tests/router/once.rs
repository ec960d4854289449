use actix_web::http::Method;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Answer, Site};
use crate::tests::seconds;

async fn keyed(site: &Site, who: &str, path: &str, key: &str, body: Value) -> Answer {
    let headers = [("idempotency-key", key)];
    site.ask_with(who, Method::POST, path, body, &headers).await
}

async fn tasks(site: &Site) -> usize {
    let listed = site.get("root", "/tasks").await.is(200);
    listed["items"].as_array().unwrap().len()
}

both! {
    async fn a_repeated_request_gets_the_first_answer_and_makes_nothing(db: Db) {
        let site = Site::new(db).await;
        let new = json!({ "name": "n", "payload": { "a": 1 } });
        let first = keyed(&site, "ada", "/tasks", "k1", new.clone()).await;
        assert_eq!(first.header("idempotency-replayed"), "");
        let again = keyed(&site, "ada", "/tasks", "k1", new.clone()).await;
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!((again.status, again.header("location")), (201, first.header("location")));
        assert_eq!(again.json(), first.json());
        let other = keyed(&site, "ada", "/tasks", "k1", json!({ "name": "n", "payload": { "a": 2 } })).await;
        assert_eq!(other.failure(), (422, "idempotency_key_reused".to_owned(), String::new()));
        assert_eq!(tasks(&site).await, 1);
        let of_another = keyed(&site, "bob", "/tasks", "k1", new.clone()).await;
        assert_ne!(of_another.is(201)["id"], first.json()["id"]);
        site.bed.clock.advance(seconds(24 * 3_600 + 1));
        let later = keyed(&site, "ada", "/tasks", "k1", new).await;
        assert_ne!(later.is(201)["id"], first.json()["id"], "its time is over");
    }

    async fn a_refused_request_does_not_take_its_key(db: Db) {
        let site = Site::new(db).await;
        let wrong = json!({ "name": "n", "payload": 1, "priority": 1_000 });
        assert_eq!(keyed(&site, "ada", "/tasks", "k", wrong).await.failure().1, "out_of_range");
        keyed(&site, "ada", "/tasks", "k", json!({ "name": "n", "payload": 1 })).await.is(201);
        for key in ["", "ä"] {
            let answer = keyed(&site, "ada", "/tasks", key, json!({ "name": "n", "payload": 1 })).await;
            assert_eq!(answer.failure().1, "idempotency_key_invalid");
            assert_eq!(answer.status, 400);
        }
        assert_eq!(tasks(&site).await, 1);
    }

    async fn a_repeated_batch_gets_the_first_answer(db: Db) {
        let site = Site::new(db).await;
        let items = json!({ "items": [{ "name": "n", "payload": 1 }, { "name": "", "payload": 2 }, { "name": "n", "payload": 3 }] });
        let first = keyed(&site, "ada", "/tasks/batch", "k", items.clone()).await;
        let again = keyed(&site, "ada", "/tasks/batch", "k", items).await;
        assert_eq!((again.header("idempotency-replayed"), &again.text), ("true", &first.text));
        assert_eq!(tasks(&site).await, 2);
    }

    async fn one_key_at_the_same_moment_makes_one_task(db: Db) {
        let site = Site::new(db).await;
        let ask = || keyed(&site, "ada", "/tasks", "k", json!({ "name": "n", "payload": 1 }));
        let (one, two, three) = tokio::join!(ask(), ask(), ask());
        assert_eq!(one.json()["id"], two.json()["id"]);
        assert_eq!(one.json()["id"], three.json()["id"]);
        assert_eq!(tasks(&site).await, 1);
    }
}
