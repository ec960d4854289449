mod accounts;
mod me;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use cgcg_core::{
    Authenticator, BoxFuture, Clock, Credential, Denied, Grants, Id, Principal, Proof, Subject,
    Timestamp,
};
use cgcg_testkit::TestClock;
use cgcg_web::{Front, FrontSettings, Module, Proxies};
use serde_json::Value;

use super::Bed;
use crate::UserId;

/// The bearer token says who it is: `admin`, `machine`, `user:<id>` or `old:<id>`.
struct Tokens(TestClock);

impl Authenticator for Tokens {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Arc<Principal>, Denied>> {
        let now = self.0.now();
        Box::pin(async move {
            let Credential::Bearer(token) = credential else {
                return Err(Denied::Missing);
            };
            let person = |id: &str, at: Timestamp| Principal {
                subject: Subject::User(id.parse().unwrap()),
                proof: Proof::Session(Id::new(now)),
                grants: ["tasks:read", "messages:read"].into_iter().collect(),
                logged_in_at: Some(at),
                ..Principal::operator()
            };
            let machine = Principal {
                subject: Subject::Service(Id::new(now)),
                ..Principal::operator()
            };
            Ok(Arc::new(match token.split_once(':') {
                Some(("user", id)) => person(id, now),
                Some((_, id)) => person(id, Timestamp::from_micros(0)),
                None if token == "admin" => machine,
                None => Principal {
                    grants: Grants::default(),
                    ..machine
                },
            }))
        })
    }

    fn still_valid<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }
}

/// Status, `ETag` and body of one request.
async fn ask(
    bed: &Bed,
    method: Method,
    path: &str,
    token: &str,
    body: Option<Value>,
) -> (u16, String, Value) {
    ask_if(bed, method, path, token, body, None).await
}

async fn ask_if(
    bed: &Bed,
    method: Method,
    path: &str,
    token: &str,
    body: Option<Value>,
    if_match: Option<&str>,
) -> (u16, String, Value) {
    let tokens = Arc::new(Tokens(bed.clock.clone()));
    let front = Front::new(
        Some(tokens),
        Arc::new(bed.clock.clone()),
        Proxies::default(),
        FrontSettings::default(),
    );
    let users = bed.users.clone();
    let app = App::new()
        .configure(|cfg| front.configure(cfg))
        .service(web::scope("/api/v1").configure(move |cfg| users.routes(cfg)));
    let app = init_service(app).await;
    let mut request = TestRequest::default()
        .method(method)
        .uri(&format!("/api/v1{path}"));
    if !token.is_empty() {
        request = request.insert_header(("authorization", format!("Bearer {token}")));
    }
    if let Some(version) = if_match {
        request = request.insert_header(("if-match", version));
    }
    if let Some(body) = body {
        request = request.set_json(body);
    }
    let response = call_service(&app, request.to_request()).await;
    let status = response.status().as_u16();
    let etag = response
        .headers()
        .get("etag")
        .map_or_else(String::new, |tag| tag.to_str().unwrap().to_owned());
    let body = read_body(response).await;
    (
        status,
        etag,
        serde_json::from_slice(&body).unwrap_or_default(),
    )
}

/// On SQLite: the service's own tests run on both.
async fn bed(folder: &tempfile::TempDir) -> Bed {
    Bed::new(cgcg_testkit::sqlite(folder).await).await
}

fn user(id: UserId) -> String {
    format!("user:{id}")
}
