mod api_keys;
mod mail;
mod pages;
mod passwords;
mod registration;
mod roles;
mod services;
mod token;

use std::sync::Arc;

use actix_web::http::header::HeaderMap;
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use cgcg_core::Db;
use cgcg_testkit::both;
use cgcg_web::{Front, FrontSettings, Module, Proxies, pass};
use serde_json::{Value, json};

use super::Bed;
use crate::Tokens;

struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap()
    }

    fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// Status and code of a failure.
    fn failure(&self) -> (u16, String) {
        (
            self.status,
            self.json()["code"].as_str().unwrap_or_default().to_owned(),
        )
    }

    fn refresh_token(&self) -> String {
        assert_eq!(self.header("cache-control"), "no-store");
        self.json()["refresh_token"].as_str().unwrap().to_owned()
    }
}

async fn ask(bed: &Bed, request: TestRequest) -> Answer {
    let (auth, clock) = (bed.auth.clone(), Arc::new(bed.clock.clone()));
    let front = Front::new(
        Some(Arc::new(auth.clone())),
        clock,
        Proxies::default(),
        FrontSettings::default(),
    );
    let app = App::new()
        .wrap(from_fn(pass))
        .configure(|cfg| front.configure(cfg))
        .configure(|cfg| auth.root_routes(cfg))
        .service(web::scope("/api/v1").configure(|cfg| auth.routes(cfg)));
    let app = init_service(app).await;
    let response = call_service(&app, request.to_request()).await;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = String::from_utf8(read_body(response).await.to_vec()).unwrap();
    Answer {
        status,
        headers,
        text,
    }
}

async fn post(bed: &Bed, path: &str, body: Value) -> Answer {
    ask(
        bed,
        TestRequest::post()
            .uri(&format!("/api/v1/auth{path}"))
            .set_json(body),
    )
    .await
}

async fn form(bed: &Bed, body: &str) -> Answer {
    let request = TestRequest::post()
        .uri("/api/v1/auth/token")
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .set_payload(body.to_owned());
    ask(bed, request).await
}

fn bearer(request: TestRequest, tokens: &Tokens) -> TestRequest {
    request.insert_header((
        "authorization",
        format!("Bearer {}", tokens.access_token.expose()),
    ))
}

const GOOD: &str = "grant_type=password&username=ada%40example.org&password=correct+horse+battery";

both! {
    async fn sessions_end_by_bearer_token(db: Db) {
        let bed = Bed::new(db).await;
        let here = bed.person("ada@example.org").await;
        let there = bed.log_in("ada@example.org").await;
        let sessions = |query: &str| TestRequest::delete().uri(&format!("/api/v1/auth/sessions{query}"));
        assert_eq!(ask(&bed, sessions("")).await.failure(), (401, "credentials_missing".to_owned()));
        assert_eq!(ask(&bed, bearer(sessions("?keep=others"), &here)).await.status, 422);
        assert_eq!(ask(&bed, bearer(sessions("?keep=current"), &here)).await.status, 204);
        let logout = || TestRequest::post().uri("/api/v1/auth/logout");
        assert_eq!(ask(&bed, bearer(logout(), &there)).await.failure(), (401, "token_invalid".to_owned()));
        assert_eq!(ask(&bed, logout()).await.failure(), (401, "credentials_missing".to_owned()));
        assert_eq!(ask(&bed, bearer(logout(), &here)).await.status, 204);
        assert_eq!(ask(&bed, bearer(sessions(""), &here)).await.failure(), (401, "token_invalid".to_owned()));
    }

    /// Elsewhere every route is asked by everybody; here the clock moves.
    async fn a2_no_route_takes_a_token_that_has_expired(db: Db) {
        let bed = Bed::new(db).await;
        let root = roles::root(&bed).await;
        bed.advance(11 * 60);
        let document = serde_json::to_value(bed.auth.openapi()).unwrap();
        let mut asked = 0;
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                if operation["security"].as_array().unwrap().contains(&json!({})) {
                    continue;
                }
                let id = "01890000-0000-7000-8000-000000000000";
                let path = path.replace("{id}", id).replace("{key}", id);
                let request = TestRequest::with_uri(&path).method(method.to_uppercase().parse().unwrap());
                let answer = ask(&bed, bearer(request.set_json(json!({})), &root)).await;
                assert_eq!(answer.failure(), (401, "token_expired".to_owned()), "{method} {path}");
                asked += 1;
            }
        }
        assert!(asked > 30, "{asked} operations");
    }

    async fn another_method_is_not_allowed(db: Db) {
        let bed = Bed::new(db).await;
        for path in ["register", "login", "refresh", "token", "logout", "setup", "email/verify", "password/reset"] {
            let answer = ask(&bed, TestRequest::get().uri(&format!("/api/v1/auth/{path}"))).await;
            assert_eq!(answer.failure(), (405, "method_not_allowed".to_owned()), "{path}");
        }
    }
}

#[test]
fn every_operation_says_who_may_call_it() {
    let bed = cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        Bed::new(cgcg_testkit::sqlite(&folder).await).await
    });
    let document = serde_json::to_value(bed.auth.openapi()).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(!paths.is_empty());
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            assert!(operation["security"].is_array(), "{method} {path}");
            assert!(
                operation["operationId"].is_string() && operation["summary"].is_string(),
                "{method} {path}"
            );
        }
    }
}
