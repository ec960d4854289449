mod api_keys;
mod passwords;
mod roles;
mod services;

use std::collections::BTreeSet;
use std::sync::Arc;

use actix_web::http::header::{HeaderMap, HeaderValue};
use actix_web::middleware::from_fn;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use cgcg_core::{Db, PageRequest};
use cgcg_testkit::both;
use cgcg_web::{Front, FrontSettings, Module, Proxies, pass};
use serde_json::{Value, json};

use super::{Bed, CATALOGUE, PASSWORD, keys, new_account};
use crate::{Device, Settings, Tokens};

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

async fn id_of(bed: &Bed, email: &str) -> String {
    let filter = cgcg_users::UserFilter {
        email: Some(email.parse().unwrap()),
        ..cgcg_users::UserFilter::default()
    };
    let page = bed.users.list(filter, PageRequest::default()).await;
    page.unwrap().items[0].id.to_string()
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

    async fn the_oauth_door_speaks_oauth(db: Db) {
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

    async fn the_password_grant_can_be_switched_off(db: Db) {
        let mut settings = Settings::default();
        settings.tokens.password_grant = false;
        let bed = Bed::with(db, settings).await;
        bed.register("ada@example.org").await;
        let answer = form(&bed, GOOD).await;
        assert_eq!((answer.status, &answer.json()["error"]), (400, &json!("unsupported_grant_type")));
        let login = json!({"login": "ada@example.org", "password": PASSWORD});
        assert_eq!(post(&bed, "/login", login).await.status, 200);
    }

    async fn basic_credentials_of_a_client_are_ignored(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let request = TestRequest::post()
            .uri("/api/v1/auth/token")
            .insert_header(("content-type", "application/x-www-form-urlencoded; charset=utf-8"))
            .insert_header(("authorization", "Basic Og=="))
            .set_payload(GOOD);
        assert_eq!(ask(&bed, request).await.status, 200);
    }

    async fn long_bodies_are_refused_before_they_are_read(db: Db) {
        let bed = Bed::new(db).await;
        let long = "x".repeat(16 * 1_024);
        let answer = post(&bed, "/login", json!({"login": "a", "password": long})).await;
        assert_eq!(answer.failure(), (413, "body_too_large".to_owned()));
        let answer = form(&bed, &format!("grant_type=password&username=a&password={long}")).await;
        assert_eq!((answer.failure(), &answer.json()["error"]), ((413, "body_too_large".to_owned()), &json!("invalid_request")));
        let answer = post(&bed, "/login", json!({"login": "a", "password": "x".repeat(129)})).await;
        assert_eq!(answer.failure(), (422, "validation_failed".to_owned()));
    }

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

    async fn the_set_up_page_needs_no_network_and_no_other_origin(db: Db) {
        let bed = Bed::new(db).await;
        let page = || TestRequest::get().uri("/api/v1/auth/pages/setup");
        let (one, two) = (ask(&bed, page()).await, ask(&bed, page()).await);
        let policy = one.header("content-security-policy").to_owned();
        assert_ne!(policy, two.header("content-security-policy"));
        assert!(policy.starts_with("default-src 'none';"));
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(one.text.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert_eq!(one.text.matches("<script").count() + one.text.matches("<style").count(), 2);
        assert_eq!((one.header("referrer-policy"), one.header("cache-control")), ("no-referrer", "no-store"));
        for outside in ["http://", "https://", " src=", "<link", "@import", "url("] {
            assert!(!one.text.contains(outside), "{outside}");
        }
    }

    async fn the_pages_of_mail_need_no_network_and_consume_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let page = |name: &str| TestRequest::get().uri(&format!("/api/v1/auth/pages/{name}"));
        for name in ["verify", "reset"] {
            let page = ask(&bed, page(name)).await;
            assert_eq!((page.status, page.header("referrer-policy")), (200, "no-referrer"));
            assert!(page.header("content-security-policy").starts_with("default-src 'none';"));
            assert_eq!(page.text.matches("<script").count() + page.text.matches("<style").count(), 2);
            for outside in ["http://", "https://", " src=", "<link", "@import", "url(", "{nonce}"] {
                assert!(!page.text.contains(outside), "{outside}");
            }
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

    async fn l8_forgot_and_resend_are_the_same_bytes_for_everybody(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for path in ["/password/forgot", "/email/resend"] {
            for email in ["ada@example.org", "nobody@example.org"] {
                let answer = post(&bed, path, json!({"email": email})).await;
                assert_eq!((answer.status, answer.text.as_str()), (202, r#"{"status":"check_email"}"#));
            }
            assert_eq!(post(&bed, path, json!({"email": "mıke@example.org"})).await.status, 422);
        }
    }

    async fn links_of_mail_work_over_http_and_fail_in_one_shape(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        post(&bed, "/register", json!({"email": "ada@example.org", "password": PASSWORD})).await;
        let token = bed.token("verify").await;
        let verify = json!({"token": token.expose()});
        assert_eq!(post(&bed, "/email/verify", verify.clone()).await.status, 204);
        let mut shapes = BTreeSet::new();
        for body in [verify, json!({"token": "cgo1_AAAA"}), json!({"token": ""})] {
            let mut answer = post(&bed, "/email/verify", body).await.json();
            answer.as_object_mut().unwrap().remove("request_id");
            shapes.insert(answer.to_string());
        }
        let new = json!({"token": token.expose(), "new_password": "staple of correct horses"});
        let mut answer = post(&bed, "/password/reset", new).await.json();
        assert_eq!((&answer["status"], &answer["code"]), (&json!(400), &json!("one_time_token_invalid")));
        answer.as_object_mut().unwrap().remove("request_id");
        shapes.insert(answer.to_string());
        assert_eq!(shapes.len(), 1, "{shapes:?}");

        let token = bed.forgotten("ada@example.org").await;
        let short = json!({"token": token.expose(), "new_password": "short"});
        let error = post(&bed, "/password/reset", short).await.json()["errors"][0].clone();
        assert_eq!((&error["loc"], &error["code"]), (&json!(["body", "new_password"]), &json!("password_too_short")));
        let new = json!({"token": token.expose(), "new_password": "staple of correct horses"});
        assert_eq!(post(&bed, "/password/reset", new).await.status, 204);
    }

    async fn a_password_link_needs_its_scope_and_is_never_shown(db: Db) {
        let bed = Bed::new(db).await.mailing().await;
        let ada = bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        assert!(ada.account().is_none());
        bed.admin("root@example.org").await;
        let (root, id) = (bed.log_in("root@example.org").await, id_of(&bed, "ada@example.org").await);
        let link = |id: &str| TestRequest::post().uri(&format!("/api/v1/auth/users/{id}/password-link"));
        assert_eq!(ask(&bed, link(&id)).await.failure(), (401, "credentials_missing".to_owned()));
        let answer = ask(&bed, bearer(link(&id), &root)).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, r#"{"status":"check_email"}"#));
        let nobody = "01890000-0000-7000-8000-000000000000";
        assert_eq!(ask(&bed, bearer(link(nobody), &root)).await.failure(), (404, "user_not_found".to_owned()));
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

    async fn the_mailbox_is_for_this_machine_only(db: Db) {
        let folder = cgcg_testkit::folder();
        let mut settings = Settings::default();
        let bed = Bed::with(db.clone(), settings.clone()).await;
        let get = |path: &str| TestRequest::get().uri(path).insert_header(("host", "localhost:8000")).peer_addr("127.0.0.1:4000".parse().unwrap());
        let list = "/api/v1/auth/dev/mail";
        assert_eq!(ask(&bed, get(list)).await.failure(), (404, "path_not_found".to_owned()), "mail goes to the log");
        settings.mail.transport = crate::Transport::File;
        let host = crate::Host {
            listen: Some("127.0.0.1:8000".parse().unwrap()),
            mail_folder: Some(folder.path().join("mail")),
            ..crate::Host::default()
        };
        let bed = Bed::hosted(db, bed.clock.clone(), settings, keys(7), host);
        bed.auth.open(CATALOGUE).await.unwrap();
        assert_eq!(ask(&bed, get(list)).await.json()["items"], json!([]));
        post(&bed, "/register", json!({"email": "ada@example.org", "password": PASSWORD})).await;
        bed.auth.send_due(10).await.unwrap();
        let items = ask(&bed, get(list)).await.json()["items"].clone();
        assert_eq!((&items[0]["to"], &items[0]["template"]), (&json!("ada@example.org"), &json!("verify")));
        let one = format!("{list}/{}", items[0]["id"].as_str().unwrap());
        assert_eq!(ask(&bed, get(&one)).await.json(), items[0]);
        let link = items[0]["text"].as_str().unwrap().split_whitespace().find(|word| word.starts_with("http")).unwrap();
        for path in [list, &one] {
            let page = ask(&bed, get(path).insert_header(("accept", "text/html"))).await;
            assert!(page.header("content-type").starts_with("text/html") && page.text.contains(&format!("href=\"{link}\"")));
        }
        assert_eq!(ask(&bed, get(&format!("{list}/01890000-0000-7000-8000-000000000000"))).await.status, 404);
        for outside in [
            get(list).peer_addr("192.0.2.1:4000".parse().unwrap()),
            get(list).insert_header(("x-forwarded-for", "192.0.2.1")),
            get(list).insert_header(("forwarded", "for=192.0.2.1")),
            get(list).insert_header(("host", "evil.example:8000")),
            TestRequest::get().uri(list).insert_header(("host", "localhost")),
        ] {
            assert_eq!(ask(&bed, outside).await.failure(), (404, "path_not_found".to_owned()));
        }
    }

    async fn the_first_administrator_is_made_over_http_once(db: Db) {
        let bed = Bed::new(db).await;
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let new = |email: &str| json!({"token": token.expose(), "email": email, "password": PASSWORD});
        let made = post(&bed, "/setup", new("ada@example.org")).await;
        assert_eq!(made.status, 201);
        made.refresh_token();
        assert!(made.header("location").starts_with("/api/v1/users/"));
        assert_eq!(post(&bed, "/setup", new("eve@example.org")).await.failure(), (404, "setup_closed".to_owned()));
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
