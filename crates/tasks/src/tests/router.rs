mod bad_input;
mod events;
mod leases;
mod once;
mod queues;
mod schedules;
mod tasks;

use std::sync::Arc;

use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, web};
use cgcg_core::{Authenticator, BoxFuture, Credential, Db, Denied, Grants, Id, Principal, Subject};
use cgcg_web::{Front, FrontSettings, Module, Proxies};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Bed;
use crate::{Handlers, Host, Settings, TaskError};

/// The bearer token is the name: `root` may everything, `robot` and `drone` work, everybody else has tasks.
struct Names;

/// The same id for the same name.
fn subject(name: &str) -> Subject {
    let number = name
        .bytes()
        .fold(1, |number: u128, byte| number << 8 | u128::from(byte));
    Subject::Service(Id::from_uuid(Uuid::from_u128(number)))
}

impl Authenticator for Names {
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Arc<Principal>, Denied>> {
        Box::pin(async move {
            let Credential::Bearer(name) = credential else {
                return Err(Denied::Missing);
            };
            let scopes: &[&str] = match name {
                "root" => &["*"],
                "robot" | "drone" => &["tasks:work"],
                _ => &["tasks:create", "tasks:read", "tasks:cancel"],
            };
            Ok(Arc::new(Principal {
                subject: subject(name),
                grants: scopes.iter().copied().collect::<Grants>(),
                ..Principal::operator()
            }))
        })
    }

    fn still_valid<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }
}

/// What came back.
struct Answer {
    status: u16,
    headers: HeaderMap,
    text: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    fn header(&self, name: &str) -> &str {
        let value = self.headers.get(name);
        value.map_or("", |value| value.to_str().unwrap())
    }

    #[track_caller]
    fn is(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}", self.text);
        self.json()
    }

    /// Status and code; of a wrong field its own code and name.
    fn failure(&self) -> (u16, String, String) {
        let body = self.json();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        match body["errors"].as_array().and_then(|errors| errors.first()) {
            Some(error) => {
                let field = error["loc"].as_array().unwrap().last().unwrap();
                (self.status, text(&error["code"]), text(field))
            }
            None => (self.status, text(&body["code"]), String::new()),
        }
    }
}

/// A queue with a router before it.
struct Site {
    bed: Bed,
    host: Host,
}

impl Site {
    async fn new(db: Db) -> Self {
        Self::with(db, Settings::default()).await
    }

    /// The program itself does `mail.send`.
    async fn with(db: Db, settings: Settings) -> Self {
        let bed = Bed::with(db, settings).await;
        let handlers = || {
            Handlers::new().on_name("mail.send", |_, _| async {
                Err(TaskError::dead("no mail"))
            })
        };
        let host = Host::new(bed.tasks.clone(), &[("_own", 1)], handlers);
        Self { bed, host }
    }

    async fn send(&self, request: TestRequest) -> Answer {
        let (host, clock) = (self.host.clone(), Arc::new(self.bed.clock.clone()));
        let (proxies, settings) = (Proxies::default(), FrontSettings::default());
        let front = Front::new(Some(Arc::new(Names)), clock, proxies, settings);
        let app = App::new()
            .configure(|cfg| front.configure(cfg))
            .service(web::scope("/api/v1").configure(move |cfg| host.routes(cfg)));
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

    async fn ask(&self, who: &str, method: Method, path: &str, body: Value) -> Answer {
        self.ask_with(who, method, path, body, &[]).await
    }

    async fn ask_with(
        &self,
        who: &str,
        method: Method,
        path: &str,
        body: Value,
        headers: &[(&'static str, &str)],
    ) -> Answer {
        let mut request = TestRequest::default()
            .method(method)
            .uri(&format!("/api/v1{path}"))
            .insert_header(("authorization", format!("Bearer {who}")));
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        if !body.is_null() {
            request = request.set_json(body);
        }
        self.send(request).await
    }

    async fn get(&self, who: &str, path: &str) -> Answer {
        self.ask(who, Method::GET, path, Value::Null).await
    }

    async fn post(&self, who: &str, path: &str, body: Value) -> Answer {
        self.ask(who, Method::POST, path, body).await
    }

    /// Moves the clock by `step` again and again; meanwhile others have time for what they do. Never ends.
    async fn time_passes(&self, step: std::time::Duration) {
        loop {
            self.bed.clock.advance(step);
            self.get("root", "/tasks?limit=1").await;
        }
    }

    /// The id of a task of Ada's.
    async fn task(&self) -> String {
        let new = json!({ "name": "render", "payload": { "frame": 1 } });
        let made = self.post("ada", "/tasks", new).await.is(201);
        made["id"].as_str().unwrap().to_owned()
    }

    /// The one task that there is to take, as `robot`.
    async fn lease(&self) -> Value {
        let wanted = json!({ "worker": "w1", "queues": ["default"] });
        let leased = self.post("robot", "/leases", wanted).await.is(200);
        leased["items"][0].clone()
    }

    /// What becomes of one item that `who` says of a lease.
    async fn end(&self, who: &str, verb: &str, item: Value) -> Value {
        let body = json!({ "worker": "w1", "items": [item] });
        let ended = self
            .post(who, &format!("/leases/{verb}"), body)
            .await
            .is(200);
        ended["items"][0].clone()
    }
}

/// With the fields of `more`.
fn of(lease: &Value, more: Value) -> Value {
    let mut item = json!({ "id": lease["id"], "lease": lease["lease"] });
    for (name, value) in more.as_object().unwrap() {
        item[name] = value.clone();
    }
    item
}
