use actix_web::http::Method;
use cgcg_web::Module;
use serde_json::{Value, json};

use super::{ask, ask_if, bed, user};
use crate::scopes;

#[actix_web::test]
async fn accounts_are_for_those_who_have_the_scope() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let ada = bed.create("ada@example.org").await;
    let one = format!("/users/{}", ada.id);
    let operations = [
        (Method::GET, "/users".to_owned()),
        (Method::POST, "/users".to_owned()),
        (Method::GET, one.clone()),
        (Method::PATCH, one.clone()),
        (Method::DELETE, one.clone()),
        (Method::POST, format!("{one}/disable")),
        (Method::POST, format!("{one}/enable")),
    ];
    for (method, path) in operations {
        for (token, status, code) in [
            ("", 401, "credentials_missing"),
            ("machine", 403, "insufficient_scope"),
        ] {
            let (answer, _, problem) =
                ask(&bed, method.clone(), &path, token, Some(json!({}))).await;
            assert_eq!(
                (answer, &problem["code"]),
                (status, &json!(code)),
                "{method} {path}"
            );
        }
        let (answer, ..) = ask(&bed, method.clone(), &path, &user(ada.id), Some(json!({}))).await;
        assert_eq!(answer, 403, "{method} {path}");
    }
    for method in [Method::GET, Method::PATCH, Method::DELETE] {
        let (status, _, problem) =
            ask(&bed, method.clone(), "/users/me", "admin", Some(json!({}))).await;
        assert_eq!(
            (status, &problem["code"]),
            (403, &json!("person_required")),
            "{method}"
        );
    }
}

#[actix_web::test]
async fn an_administrator_leads_an_account_through_its_life() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let new = json!({ "email": "Ada@example.org", "display_name": "Ada" });
    let (status, _, ada) = ask(&bed, Method::POST, "/users", "admin", Some(new.clone())).await;
    assert_eq!(status, 201);
    let (status, _, problem) = ask(&bed, Method::POST, "/users", "admin", Some(new)).await;
    assert_eq!((status, &problem["code"]), (409, &json!("email_taken")));

    let one = format!("/users/{}", ada["id"].as_str().unwrap());
    let change = || Some(json!({ "app_data": { "plan": "pro" }, "display_name": null }));
    let old = ask_if(&bed, Method::PATCH, &one, "admin", change(), Some("\"7\"")).await;
    assert_eq!((old.0, &old.2["code"]), (412, &json!("version_mismatch")));
    let (status, etag, ada) =
        ask_if(&bed, Method::PATCH, &one, "admin", change(), Some("\"1\"")).await;
    assert_eq!(
        (status, &*etag, &ada["display_name"]),
        (200, "\"2\"", &Value::Null)
    );

    let (_, _, ada) = ask(&bed, Method::POST, &format!("{one}/disable"), "admin", None).await;
    assert_eq!(ada["status"], "disabled");
    let (_, _, page) = ask(
        &bed,
        Method::GET,
        "/users?status=disabled&order=newest&q=ADA",
        "admin",
        None,
    )
    .await;
    assert_eq!(page, json!({ "items": [ada], "next_cursor": null }));
    let (status, etag, _) = ask(&bed, Method::POST, &format!("{one}/enable"), "admin", None).await;
    assert_eq!((status, &*etag), (200, "\"4\""));

    assert_eq!(ask(&bed, Method::DELETE, &one, "admin", None).await.0, 204);
    let (status, _, problem) = ask(&bed, Method::GET, &one, "admin", None).await;
    assert_eq!((status, &problem["code"]), (404, &json!("user_not_found")));
    assert_eq!(ask(&bed, Method::PUT, &one, "admin", None).await.0, 405);
}

#[actix_web::test]
async fn a_refusal_is_409_for_the_last_administrator_and_403_else() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let one = format!("/users/{}", bed.create("ada@example.org").await.id);
    for (code, expected) in [("last_admin", 409), ("target_outranks_caller", 403)] {
        bed.observer.refuse(code);
        let (status, _, problem) = ask(&bed, Method::DELETE, &one, "admin", None).await;
        assert_eq!((status, &problem["code"]), (expected, &json!(code)));
    }
}

#[tokio::test]
async fn the_document_names_every_operation_and_every_schema() {
    let folder = cgcg_testkit::folder();
    let bed = bed(&folder).await;
    let document = serde_json::to_value(bed.users.openapi()).unwrap();
    let operations: Vec<_> = document["paths"]
        .as_object()
        .unwrap()
        .values()
        .flat_map(|path| path.as_object().unwrap().values())
        .filter_map(|operation| operation["operationId"].as_str())
        .collect();
    let expected = [
        "create_user",
        "delete_me",
        "delete_user",
        "disable_user",
        "enable_user",
        "get_me",
        "get_user",
        "list_users",
        "update_me",
        "update_user",
    ];
    let mut sorted = operations.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, expected);
    let text = document.to_string();
    for name in text
        .split("#/components/schemas/")
        .skip(1)
        .map(|rest| rest.split('"').next().unwrap())
    {
        assert!(
            document["components"]["schemas"].get(name).is_some(),
            "{name}"
        );
    }
    let asked: Vec<_> = scopes::ALL.iter().map(|scope| scope.name).collect();
    assert_eq!(asked, ["users:read", "users:write", "users:delete"]);
}
