use actix_web::test::TestRequest;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::ask;
use super::roles::{root, send};
use crate::tests::Bed;

both! {
    async fn a_machine_gets_a_name_roles_and_a_key_over_http(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        let new = json!({"name": "render-farm", "about": "Frames.", "roles": ["user"]});
        let made = send(&bed, &root, "POST", "/service-accounts", new).await;
        assert_eq!((made.status, &made.json()["roles"]), (201, &json!(["user"])));
        let path = made.header("location").strip_prefix("/api/v1/auth").unwrap().to_owned();
        let got = send(&bed, &root, "GET", &path, Value::Null).await;
        assert_eq!((got.json(), got.header("etag")), (made.json(), made.header("etag")));

        let roles = send(&bed, &root, "PUT", &format!("{path}/roles"), json!({"roles": ["admin"]})).await;
        assert_eq!((roles.status, roles.json()), (200, json!({"roles": ["admin"], "scopes": ["*"]})));
        let keys = format!("{path}/api-keys");
        let key = send(&bed, &root, "POST", &keys, json!({"name": "farm", "scopes": ["auth:roles:read"]})).await;
        assert_eq!(key.status, 201);
        let one = key.header("location").strip_prefix("/api/v1/auth").unwrap().to_owned();
        assert_eq!(send(&bed, &root, "GET", &one, Value::Null).await.json()["name"], "farm");
        assert_eq!(send(&bed, &root, "GET", &keys, Value::Null).await.json()["items"].as_array().unwrap().len(), 1);

        let text = key.json()["key"].as_str().unwrap().to_owned();
        let list = || {
            let request = TestRequest::get().uri("/api/v1/auth/roles");
            request.insert_header(("authorization", format!("Bearer {text}")))
        };
        assert_eq!(ask(&bed, list()).await.status, 200);
        let off = send(&bed, &root, "PATCH", &path, json!({"disabled": true})).await;
        assert!(off.status == 200 && off.json()["disabled_at"].is_string());
        assert_eq!(ask(&bed, list()).await.failure(), (401, "token_invalid".to_owned()));
        let late = send(&bed, &root, "POST", &keys, json!({"name": "farm", "scopes": ["auth:roles:read"]})).await;
        assert_eq!(late.failure(), (409, "service_account_disabled".to_owned()));
        assert_eq!(send(&bed, &root, "DELETE", &path, Value::Null).await.status, 204);
        for gone in [&path, &keys, &one] {
            assert_eq!(send(&bed, &root, "GET", gone, Value::Null).await.failure(), (404, "service_account_not_found".to_owned()));
        }
    }

    async fn a_wrong_machine_is_named_by_field(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        for (field, value, code) in [
            ("name", json!("Render Farm"), "name_invalid"),
            ("name", json!("x"), "name_invalid"),
            ("name", json!("a\u{0}b"), "name_invalid"),
            ("about", json!("two\nlines"), "about_invalid"),
            ("roles", json!(["unicorn"]), "role_unknown"),
        ] {
            let mut new = json!({"name": "robot"});
            new[field] = value;
            let answer = send(&bed, &root, "POST", "/service-accounts", new).await;
            let error = answer.json()["errors"][0].clone();
            assert_eq!((answer.status, &error["loc"][1], &error["code"]), (422, &json!(field), &json!(code)));
        }
        let robot = bed.machine("robot", &[]).await.id;
        for field in ["name", "about", "disabled"] {
            let answer = send(&bed, &root, "PATCH", &format!("/service-accounts/{robot}"), json!({ field: null })).await;
            assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (422, &json!("null_not_allowed")));
        }
    }
}
