use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{ask, post};
use crate::Settings;
use crate::tests::{Bed, PASSWORD};

both! {
    async fn a_person_registers_logs_in_refreshes_and_logs_out(db: Db) {
        let bed = Bed::new(db).await;
        let new = json!({"email": "ada@example.org", "password": PASSWORD, "display_name": "Ada"});
        let made = post(&bed, "/register", new.clone()).await;
        assert_eq!((made.status, made.json()["email"].as_str()), (201, Some("ada@example.org")));
        let location = format!("/api/v1/users/{}", made.json()["id"].as_str().unwrap());
        assert_eq!(made.header("location"), location);
        assert_eq!(post(&bed, "/register", new).await.failure(), (409, "email_taken".to_owned()));

        let login = json!({"login": "ada@example.org", "password": PASSWORD});
        let first = post(&bed, "/login", login).await.refresh_token();
        let refreshed = post(&bed, "/refresh", json!({"refresh_token": first})).await;
        let second = refreshed.refresh_token();
        assert_eq!(post(&bed, "/logout", json!({"refresh_token": second})).await.status, 204);
        let over = post(&bed, "/refresh", json!({"refresh_token": second})).await;
        assert_eq!(over.failure(), (401, "invalid_grant".to_owned()));
        assert!(over.header("www-authenticate").starts_with("Bearer"));
    }

    async fn a_wrong_field_is_named_and_never_repeated(db: Db) {
        let bed = Bed::new(db).await;
        let wrong = |field: &str, value: Value| {
            let mut body = json!({"email": "ada@example.org", "password": PASSWORD});
            body[field] = value;
            body
        };
        for (field, value, code) in [
            ("email", json!("mıke@example.org"), "email_invalid"),
            ("password", json!("secret word"), "password_too_short"),
            ("password", json!(17), "wrong_type"),
            ("display_name", json!("a\nb"), "display_name_invalid"),
            ("username", json!("Ada"), "username_invalid"),
            ("is_admin", json!(true), "unknown_field"),
        ] {
            let answer = post(&bed, "/register", wrong(field, value)).await;
            assert_eq!(answer.failure(), (422, "validation_failed".to_owned()), "{field}");
            let error = answer.json()["errors"][0].clone();
            assert_eq!((&error["loc"], &error["code"]), (&json!(["body", field]), &json!(code)));
            assert!(!answer.text.contains("secret word"));
        }
    }

    async fn l7_a_registration_with_proof_is_the_same_bytes_for_a_taken_address(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        let new = json!({"email": "ada@example.org", "password": PASSWORD});
        let mut answers = Vec::new();
        for _ in 0..2 {
            let answer = post(&bed, "/register", new.clone()).await;
            let headers = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
            let headers: BTreeSet<_> = headers.map(|(name, value)| format!("{name}: {value:?}")).collect();
            answers.push((answer.status, headers, answer.text));
        }
        assert_eq!(answers[0], answers[1]);
        assert_eq!((answers[0].0, answers[0].2.as_str()), (202, r#"{"status":"check_email"}"#));
        assert_eq!(bed.mails().await.len(), 2);
    }

    async fn an_idempotency_key_gets_the_first_answer_again(db: Db) {
        let bed = Bed::new(db).await;
        let register = |key: &str, email: &str| {
            let body = json!({"email": email, "password": PASSWORD});
            TestRequest::post().uri("/api/v1/auth/register").insert_header(("idempotency-key", key)).set_json(body)
        };
        let first = ask(&bed, register("k", "ada@example.org")).await;
        let again = ask(&bed, register("k", "ada@example.org")).await;
        assert_eq!((first.status, &first.text, first.header("location")), (again.status, &again.text, again.header("location")));
        assert_eq!((first.header("idempotency-replayed"), again.header("idempotency-replayed")), ("", "true"));
        let other = ask(&bed, register("k", "eve@example.org")).await;
        assert_eq!(other.failure(), (422, "idempotency_key_reused".to_owned()));
        for key in ["", "ä", &"x".repeat(256)] {
            let answer = ask(&bed, register(key, "bob@example.org")).await;
            assert_eq!(answer.failure(), (400, "idempotency_key_invalid".to_owned()), "{key}");
        }
        let twice = register("a", "bob@example.org").append_header(("idempotency-key", "b"));
        assert_eq!(ask(&bed, twice).await.failure(), (400, "idempotency_key_invalid".to_owned()));
    }

    async fn o1_the_first_administrator_is_made_over_http_once(db: Db) {
        let bed = Bed::new(db).await;
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let new = |email: &str| json!({"token": token.expose(), "email": email, "password": PASSWORD});
        let made = post(&bed, "/setup", new("ada@example.org")).await;
        assert_eq!(made.status, 201);
        made.refresh_token();
        assert!(made.header("location").starts_with("/api/v1/users/"));
        assert_eq!(post(&bed, "/setup", new("eve@example.org")).await.failure(), (404, "setup_closed".to_owned()));
    }
}
