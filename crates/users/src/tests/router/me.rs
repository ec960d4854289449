use actix_web::http::Method;
use serde_json::json;

use super::{ask, bed, user};

#[actix_web::test]
async fn me_is_my_account_with_my_scopes() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let ada = bed.create_named("ada").await;
    let (status, etag, me) = ask(&bed, Method::GET, "/users/me", &user(ada.id), None).await;
    assert_eq!((status, &*etag), (200, "\"1\""));
    assert_eq!(me["scopes"], json!(["messages:read", "tasks:read"]));
    let expected = json!({
        "id": ada.id, "email": "ada@example.org", "username": "ada", "display_name": null, "locale": null,
        "email_verified_at": null, "status": "active", "profile": {}, "app_data": {}, "version": 1,
        "created_at": ada.created_at, "updated_at": ada.updated_at, "scopes": me["scopes"],
    });
    assert_eq!(me, expected);

    let change = json!({ "profile": { "a": [1, { "b": null }] } });
    let (status, etag, me) = ask(
        &bed,
        Method::PATCH,
        "/users/me",
        &user(ada.id),
        Some(change),
    )
    .await;
    assert_eq!((status, &*etag), (200, "\"2\""), "{me}");
    assert_eq!(me["profile"], json!({ "a": [1, { "b": null }] }));
}

#[actix_web::test]
async fn a_wrong_field_is_named_with_its_code() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let ada = bed.create("ada@example.org").await;
    let big = "x".repeat(9_000);
    let cases = [
        ("status", "unknown_field", json!({ "status": "active" })),
        (
            "email",
            "unknown_field",
            json!({ "email": "x@example.org" }),
        ),
        ("profile", "null_not_allowed", json!({ "profile": null })),
        (
            "profile",
            "text_invalid",
            json!({ "profile": { "a": "\0" } }),
        ),
        ("profile", "wrong_type", json!({ "profile": [] })),
        ("profile", "too_large", json!({ "profile": { "a": big } })),
        (
            "display_name",
            "display_name_invalid",
            json!({ "display_name": "a\nb" }),
        ),
        ("username", "username_invalid", json!({ "username": "A" })),
        ("locale", "wrong_type", json!({ "locale": 1 })),
    ];
    for (field, code, change) in cases {
        let (status, _, problem) = ask(
            &bed,
            Method::PATCH,
            "/users/me",
            &user(ada.id),
            Some(change),
        )
        .await;
        assert_eq!(
            (status, &problem["code"]),
            (422, &json!("validation_failed")),
            "{problem}"
        );
        assert_eq!(
            problem["errors"][0]["loc"],
            json!(["body", field]),
            "{problem}"
        );
        assert_eq!(problem["errors"][0]["code"], code, "{problem}");
    }
    for (query, code) in [
        ("q=%00", "text_invalid"),
        ("q=%0a", "out_of_range"),
        ("email=x", "email_invalid"),
        ("limit=0", "out_of_range"),
        ("status=gone", "value_unknown"),
        ("order=name", "value_unknown"),
        ("offset=1", "unknown_field"),
    ] {
        let (status, _, problem) =
            ask(&bed, Method::GET, &format!("/users?{query}"), "admin", None).await;
        assert_eq!(
            (status, &problem["errors"][0]["code"]),
            (422, &json!(code)),
            "{query}: {problem}"
        );
        let name = query.split_once('=').unwrap().0;
        assert_eq!(
            problem["errors"][0]["loc"],
            json!(["query", name]),
            "{problem}"
        );
    }
}

#[actix_web::test]
async fn only_a_fresh_login_deletes_its_account() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let ada = bed.create("ada@example.org").await;
    let (status, _, problem) = ask(
        &bed,
        Method::DELETE,
        "/users/me",
        &format!("old:{}", ada.id),
        None,
    )
    .await;
    assert_eq!(
        (status, &problem["code"]),
        (401, &json!("insufficient_user_authentication"))
    );
    assert_eq!(
        ask(&bed, Method::DELETE, "/users/me", &user(ada.id), None)
            .await
            .0,
        204
    );
    let (status, _, problem) = ask(&bed, Method::GET, "/users/me", &user(ada.id), None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("user_not_found")));
}
