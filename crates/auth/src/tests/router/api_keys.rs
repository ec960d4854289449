use actix_web::test::TestRequest;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::roles::{root, send};
use super::{Answer, ask};
use crate::Device;
use crate::tests::Bed;

async fn with_key(bed: &Bed, key: &str, method: &str, path: &str) -> Answer {
    let request = TestRequest::with_uri(&format!("/api/v1/auth{path}"))
        .method(method.parse().unwrap())
        .insert_header(("authorization", format!("bearer {key}")))
        .set_json(json!({"name": "more", "scopes": ["*"]}));
    ask(bed, request).await
}

both! {
    async fn k2_a_key_is_made_shown_once_and_revoked_over_http(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        let new = json!({"name": "Nightly backup", "scopes": ["auth:roles:read"]});
        let made = send(&bed, &root, "POST", "/api-keys", new).await;
        assert_eq!((made.status, made.header("cache-control")), (201, "no-store"));
        let key = made.json()["key"].as_str().unwrap().to_owned();
        let path = made.header("location").strip_prefix("/api/v1/auth").unwrap().to_owned();
        let mut shown = made.json();
        shown.as_object_mut().unwrap().remove("key");
        let got = send(&bed, &root, "GET", &path, Value::Null).await;
        assert_eq!(got.json(), shown);
        let listed = send(&bed, &root, "GET", "/api-keys", Value::Null).await;
        assert_eq!(listed.json()["items"], json!([shown]));
        assert!(!listed.text.contains(&key) && !got.text.contains(&key));

        assert_eq!(with_key(&bed, &key, "GET", "/roles").await.status, 200);
        assert_eq!(with_key(&bed, &key, "GET", "/service-accounts").await.failure(), (403, "insufficient_scope".to_owned()));
        assert_eq!(send(&bed, &root, "DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(with_key(&bed, &key, "GET", "/roles").await.failure(), (401, "token_invalid".to_owned()));
        for method in ["GET", "DELETE"] {
            assert_eq!(send(&bed, &root, method, &path, Value::Null).await.failure(), (404, "api_key_not_found".to_owned()));
        }
    }

    async fn k4_a_key_passes_no_door_for_persons(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        let made = send(&bed, &root, "POST", "/api-keys", json!({"name": "all", "scopes": ["*"]})).await.json();
        let (key, id) = (made["key"].as_str().unwrap(), made["id"].as_str().unwrap());
        let robot = bed.machine("robot", &[]).await.id;
        for (method, path) in [
            ("GET", "/api-keys".to_owned()),
            ("POST", "/api-keys".to_owned()),
            ("GET", format!("/api-keys/{id}")),
            ("DELETE", format!("/api-keys/{id}")),
            ("GET", format!("/service-accounts/{robot}/api-keys")),
            ("POST", format!("/service-accounts/{robot}/api-keys")),
            ("DELETE", format!("/service-accounts/{robot}/api-keys/{id}")),
            ("DELETE", "/sessions".to_owned()),
        ] {
            assert_eq!(with_key(&bed, key, method, &path).await.failure(), (403, "person_required".to_owned()), "{method} {path}");
        }
    }

    async fn a_key_needs_a_login_of_the_last_minutes(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        bed.advance(901);
        let tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        let new = || json!({"name": "late", "scopes": ["tasks:read"]});
        let late = send(&bed, &tokens, "POST", "/api-keys", new()).await;
        assert_eq!(late.failure(), (401, "insufficient_user_authentication".to_owned()));
        let tokens = bed.log_in("ada@example.org").await;
        assert_eq!(send(&bed, &tokens, "POST", "/api-keys", new()).await.status, 201);
    }

    async fn a_wrong_key_is_named_by_field(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.person("ada@example.org").await;
        for (field, value, code) in [
            ("name", json!(""), "display_name_invalid"),
            ("name", json!("a\nb"), "display_name_invalid"),
            ("scopes", json!([]), "out_of_range"),
            ("scopes", json!(["films:cut"]), "scope_unknown"),
            ("scopes", json!("tasks:read"), "wrong_type"),
            ("expires_at", Value::Null, "null_not_allowed"),
            ("expires_at", json!("yesterday"), "time_invalid"),
            ("expires_at", json!("2020-01-01T00:00:00Z"), "out_of_range"),
        ] {
            let mut new = json!({"name": "backup", "scopes": ["tasks:read"]});
            new[field] = value;
            let answer = send(&bed, &ada, "POST", "/api-keys", new).await;
            assert_eq!(answer.failure(), (422, "validation_failed".to_owned()), "{field} {code}");
            let error = answer.json()["errors"][0].clone();
            assert_eq!((&error["loc"][1], &error["code"]), (&json!(field), &json!(code)));
        }
        let beyond = send(&bed, &ada, "POST", "/api-keys", json!({"name": "n", "scopes": ["users:write"]})).await;
        assert_eq!(beyond.failure(), (403, "scope_not_held".to_owned()));
    }
}
