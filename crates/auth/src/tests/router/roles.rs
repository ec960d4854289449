use actix_web::test::TestRequest;
use cgcg_core::Db;
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Answer, ask, bearer};
use crate::Tokens;
use crate::tests::{Bed, CATALOGUE};

pub(super) async fn root(bed: &Bed) -> Tokens {
    bed.admin("root@example.org").await;
    bed.log_in("root@example.org").await
}

/// A request of somebody, below `/api/v1/auth`.
pub(super) async fn send(bed: &Bed, by: &Tokens, method: &str, path: &str, body: Value) -> Answer {
    let request =
        TestRequest::with_uri(&format!("/api/v1/auth{path}")).method(method.parse().unwrap());
    let request = if body.is_null() {
        request
    } else {
        request.set_json(body)
    };
    ask(bed, bearer(request, by)).await
}

both! {
    async fn a_role_is_made_changed_and_removed_over_http(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        let new = json!({"name": "support", "about": "Helps.", "scopes": ["users:write", "tasks:read"]});
        let made = send(&bed, &root, "POST", "/roles", new.clone()).await;
        assert_eq!((made.status, made.header("etag")), (201, "\"1\""));
        let path = made.header("location").strip_prefix("/api/v1/auth").unwrap().to_owned();
        let got = send(&bed, &root, "GET", &path, Value::Null).await;
        assert_eq!((got.status, got.json()), (200, made.json()));
        assert_eq!(got.json()["scopes"], json!(["tasks:read", "users:write"]));
        assert_eq!(send(&bed, &root, "POST", "/roles", new).await.failure(), (409, "name_taken".to_owned()));

        let change = |version: &str| {
            let request = TestRequest::patch().uri(&format!("/api/v1/auth{path}"));
            let request = request.insert_header(("if-match", version.to_owned()));
            bearer(request.set_json(json!({"scopes": []})), &root)
        };
        let changed = ask(&bed, change("\"1\"")).await;
        assert_eq!((changed.status, changed.header("etag")), (200, "\"2\""));
        assert_eq!(ask(&bed, change("\"1\"")).await.failure(), (412, "version_mismatch".to_owned()));
        assert_eq!(send(&bed, &root, "DELETE", &path, Value::Null).await.status, 204);
        assert_eq!(send(&bed, &root, "GET", &path, Value::Null).await.failure(), (404, "role_not_found".to_owned()));
    }

    async fn roles_of_an_account_are_seen_and_set_over_http(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        let ada = bed.register("ada@example.org").await;
        let path = format!("/users/{}/roles", ada.id);
        let seen = send(&bed, &root, "GET", &path, Value::Null).await;
        assert_eq!(seen.json(), json!({"roles": ["user"], "scopes": ["tasks:read"]}));
        let set = send(&bed, &root, "PUT", &path, json!({"roles": ["user", "admin"]})).await;
        assert_eq!((set.status, &set.json()["roles"]), (200, &json!(["admin", "user"])));
        let unknown = send(&bed, &root, "PUT", &path, json!({"roles": ["unicorn"]})).await;
        assert_eq!((unknown.status, &unknown.json()["errors"][0]["code"]), (422, &json!("role_unknown")));
        let nobody = "/users/01890000-0000-7000-8000-000000000000/roles";
        assert_eq!(send(&bed, &root, "GET", nobody, Value::Null).await.failure(), (404, "user_not_found".to_owned()));
        let scopes = send(&bed, &root, "GET", "/scopes", Value::Null).await;
        let names = scopes.json()["items"].as_array().unwrap().len();
        assert_eq!((scopes.status, names), (200, CATALOGUE.len()));
    }

    async fn a1_rights_are_not_set_by_other_fields(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = root(&bed).await;
        let role = send(&bed, &tokens, "POST", "/roles", json!({"name": "support", "scopes": []})).await;
        let path = format!("/roles/{}", role.json()["id"].as_str().unwrap());
        for field in ["id", "name", "builtin", "version", "role", "roles", "is_admin", "permissions"] {
            let change = json!({"about": "changed", field: "admin"});
            let answer = send(&bed, &tokens, "PATCH", &path, change).await;
            assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (422, &json!("unknown_field")), "{field}");
        }
        assert_eq!(send(&bed, &tokens, "GET", &path, Value::Null).await.json(), role.json());
        for (method, path, body) in [
            ("POST", "/roles", json!({"name": "other", "scopes": [], "builtin": true})),
            ("POST", "/api-keys", json!({"name": "n", "scopes": ["tasks:read"], "owner_id": "x"})),
            ("POST", "/api-keys", json!({"name": "n", "scopes": ["tasks:read"], "last_used_at": null})),
            ("POST", "/service-accounts", json!({"name": "robot", "scopes": ["*"]})),
        ] {
            let answer = send(&bed, &tokens, method, path, body).await;
            assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (422, &json!("unknown_field")), "{path}");
        }
    }

    async fn a6_lists_take_no_odd_questions(db: Db) {
        let bed = Bed::new(db).await;
        let root = root(&bed).await;
        for list in ["/roles", "/api-keys", "/service-accounts", "/sessions", "/audit"] {
            for query in ["limit=0", "limit=201", "limit=-1", "limit=99999999999999999999", "sort=name", "cursor=", "cursor=%27--", "cursor=AAAA", "offset=1"] {
                let answer = send(&bed, &root, "GET", &format!("{list}?{query}"), Value::Null).await;
                assert_eq!(answer.status, 422, "{list}?{query}");
            }
            assert_eq!(send(&bed, &root, "GET", &format!("{list}?limit=200"), Value::Null).await.status, 200);
        }
    }

    async fn a2_without_the_scope_nothing_of_it_is_seen_or_done(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.person("ada@example.org").await;
        let id = "01890000-0000-7000-8000-000000000000";
        for (method, path, scope) in [
            ("GET", "/scopes".to_owned(), "auth:roles:read"),
            ("GET", "/roles".to_owned(), "auth:roles:read"),
            ("POST", "/roles".to_owned(), "auth:roles:write"),
            ("GET", format!("/roles/{id}"), "auth:roles:read"),
            ("PATCH", format!("/roles/{id}"), "auth:roles:write"),
            ("DELETE", format!("/roles/{id}"), "auth:roles:write"),
            ("GET", format!("/users/{id}/roles"), "auth:roles:read"),
            ("PUT", format!("/users/{id}/roles"), "auth:roles:write"),
            ("GET", "/service-accounts".to_owned(), "auth:services"),
            ("POST", "/service-accounts".to_owned(), "auth:services"),
            ("GET", format!("/service-accounts/{id}"), "auth:services"),
            ("PATCH", format!("/service-accounts/{id}"), "auth:services"),
            ("DELETE", format!("/service-accounts/{id}"), "auth:services"),
            ("PUT", format!("/service-accounts/{id}/roles"), "auth:services"),
            ("GET", format!("/service-accounts/{id}/api-keys"), "auth:services"),
            ("POST", format!("/service-accounts/{id}/api-keys"), "auth:services"),
            ("GET", format!("/service-accounts/{id}/api-keys/{id}"), "auth:services"),
            ("DELETE", format!("/service-accounts/{id}/api-keys/{id}"), "auth:services"),
        ] {
            let answer = send(&bed, &ada, method, &path, Value::Null).await;
            assert_eq!(answer.failure(), (403, "insufficient_scope".to_owned()), "{method} {path}");
            assert_eq!(answer.json()["scope"], scope);
        }
    }
}
