use actix_web::http::header::HeaderValue;
use actix_web::test::TestRequest;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::json;

use super::{GOOD, ask, form, post};
use crate::Settings;
use crate::tests::{Bed, PASSWORD};

both! {
    async fn t1_the_oauth_door_speaks_oauth(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let answer = form(&bed, &format!("{GOOD}&client_id=x&unknown=1&scope=")).await;
        assert_eq!((answer.status, answer.header("pragma")), (200, "no-cache"));
        let refresh = format!("grant_type=refresh_token&refresh_token={}", answer.refresh_token());
        assert_eq!(form(&bed, &refresh).await.status, 200);
        for (body, error, code) in [
            ("", "invalid_request", "invalid_request"),
            ("grant_type=password&username=a", "invalid_request", "invalid_request"),
            (&format!("{GOOD}&password=again"), "invalid_request", "invalid_request"),
            (&format!("{GOOD}&scope=users%3Awrite"), "invalid_scope", "invalid_scope"),
            ("grant_type=password&username=a&password=b", "invalid_grant", "invalid_credentials"),
            ("grant_type=refresh_token&refresh_token=x", "invalid_grant", "invalid_grant"),
            ("grant_type=client_credentials", "unsupported_grant_type", "unsupported_grant_type"),
        ] {
            let answer = form(&bed, body).await;
            assert_eq!((answer.status, answer.header("content-type")), (400, "application/json"), "{body}");
            let json = answer.json();
            assert_eq!((&json["error"], &json["code"]), (&json!(error), &json!(code)), "{body}");
            assert!(json["error_description"].is_string() && json["detail"].is_string());
            assert!(!json["request_id"].as_str().unwrap().is_empty());
        }
    }

    async fn t1_the_password_grant_can_be_switched_off(db: Db) {
        let mut settings = Settings::default();
        settings.tokens.password_grant = false;
        let bed = Bed::with(db, settings).await;
        bed.register("ada@example.org").await;
        let answer = form(&bed, GOOD).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("unsupported_grant_type")));
        let login = json!({"login": "ada@example.org", "password": PASSWORD});
        assert_eq!(post(&bed, "/login", login).await.status, 200);
    }

    async fn t1_basic_credentials_of_a_client_are_ignored(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let request = TestRequest::post()
            .uri("/api/v1/auth/token")
            .insert_header(("content-type", "application/x-www-form-urlencoded; charset=utf-8"))
            .insert_header(("authorization", "Basic Og=="))
            .set_payload(GOOD);
        assert_eq!(ask(&bed, request).await.status, 200);
    }

    async fn l3_long_bodies_are_refused_before_they_are_read(db: Db) {
        let bed = Bed::new(db).await;
        let long = "x".repeat(16 * 1_024);
        let answer = post(&bed, "/login", json!({"login": "a", "password": long})).await;
        assert_eq!(answer.failure(), (413, "body_too_large".to_owned()));
        let answer = form(&bed, &format!("grant_type=password&username=a&password={long}")).await;
        assert_eq!((answer.failure(), &answer.json()["error"]), ((413, "body_too_large".to_owned()), &json!("invalid_request")));
        let answer = post(&bed, "/login", json!({"login": "a", "password": "x".repeat(129)})).await;
        assert_eq!(answer.failure(), (422, "validation_failed".to_owned()));
    }

    async fn the_keys_are_public_and_change_their_tag_with_their_content(db: Db) {
        let bed = Bed::new(db).await;
        let keys = || TestRequest::get().uri("/.well-known/jwks.json");
        let first = ask(&bed, keys()).await;
        assert_eq!(first.json()["keys"][0]["kty"], "OKP");
        assert!(first.json()["keys"][0].get("d").is_none());
        assert_eq!(first.header("cache-control"), "public, max-age=3600");
        let etag = HeaderValue::from_str(first.header("etag")).unwrap();
        let again = ask(&bed, keys().insert_header(("if-none-match", etag))).await;
        assert_eq!((again.status, again.text.as_str()), (304, ""));
        assert_eq!(ask(&bed, keys().insert_header(("if-none-match", "\"other\""))).await.status, 200);
    }
}
