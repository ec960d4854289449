//! Who gets where: every route, asked by everybody.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, People, Person, Server, Setup};

/// An id that nobody has.
const NOBODY: &str = "01890000-0000-7000-8000-000000000000";

/// Each route, whom it is for, and a body that it takes where `{}` is not one. `caller`: whoever has a credential.
/// `person`: who logged in. Else a scope; with `+person` behind it machines are refused too. Written by hand: a route
/// that is not here fails.
const ROUTES: &str = r#"
GET /.well-known/jwks.json public
GET /health/live public
GET /health/ready public
GET /metrics server:read
POST /api/v1/auth/register public
POST /api/v1/auth/login public
POST /api/v1/auth/token public
POST /api/v1/auth/refresh public
POST /api/v1/auth/logout public
POST /api/v1/auth/setup public
POST /api/v1/auth/password/forgot public
POST /api/v1/auth/password/reset public
POST /api/v1/auth/email/resend public
POST /api/v1/auth/email/verify public
GET /api/v1/auth/pages/reset public
GET /api/v1/auth/pages/setup public
GET /api/v1/auth/pages/verify public
GET /api/v1/auth/dev/mail public
GET /api/v1/auth/dev/mail/{id} public
GET /api/v1/users/me person
PATCH /api/v1/users/me person
GET /api/v1/auth/sessions person
GET /api/v1/auth/sessions/current person
PATCH /api/v1/auth/sessions/{id} person {"label":"phone"}
DELETE /api/v1/auth/sessions/{id} person
POST /api/v1/auth/reauthenticate person {"password":"a wrong password"}
POST /api/v1/auth/password/change person {"current_password":"a wrong password","new_password":"staple of correct horses"}
POST /api/v1/auth/email/change person {"new_email":"new@example.org","password":"a wrong password"}
GET /api/v1/auth/api-keys person
POST /api/v1/auth/api-keys person {"name":"another","scopes":["*"]}
GET /api/v1/auth/api-keys/{id} person
DELETE /api/v1/auth/api-keys/{id} person
GET /api/v1/auth/audit auth:audit:read
GET /api/v1/auth/scopes auth:roles:read
GET /api/v1/auth/roles auth:roles:read
POST /api/v1/auth/roles auth:roles:write {"name":"another","scopes":["*"]}
GET /api/v1/auth/roles/{id} auth:roles:read
PATCH /api/v1/auth/roles/{id} auth:roles:write {"scopes":["*"]}
DELETE /api/v1/auth/roles/{id} auth:roles:write
GET /api/v1/auth/users/{id}/roles auth:roles:read
PUT /api/v1/auth/users/{id}/roles auth:roles:write {"roles":["admin"]}
GET /api/v1/auth/users/{id}/sessions auth:users
DELETE /api/v1/auth/users/{id}/sessions auth:users
POST /api/v1/auth/users/{id}/password-link auth:users
GET /api/v1/auth/service-accounts auth:services
POST /api/v1/auth/service-accounts auth:services {"name":"another","roles":["admin"]}
GET /api/v1/auth/service-accounts/{id} auth:services
PATCH /api/v1/auth/service-accounts/{id} auth:services {"about":"mine"}
DELETE /api/v1/auth/service-accounts/{id} auth:services
PUT /api/v1/auth/service-accounts/{id}/roles auth:services {"roles":["admin"]}
GET /api/v1/auth/service-accounts/{id}/api-keys auth:services
POST /api/v1/auth/service-accounts/{id}/api-keys auth:services+person {"name":"another","scopes":["*"]}
GET /api/v1/auth/service-accounts/{id}/api-keys/{key} auth:services
DELETE /api/v1/auth/service-accounts/{id}/api-keys/{key} auth:services
GET /api/v1/users users:read
POST /api/v1/users users:write {"email":"another@example.org"}
GET /api/v1/users/{id} users:read
PATCH /api/v1/users/{id} users:write {"display_name":"mine"}
POST /api/v1/users/{id}/disable users:write
POST /api/v1/users/{id}/enable users:write
DELETE /api/v1/users/{id} users:delete
GET /api/v1/tasks tasks:read
POST /api/v1/tasks tasks:create {"name":"another"}
POST /api/v1/tasks/batch tasks:create {"items":[{"name":"another"}]}
GET /api/v1/tasks/{id} tasks:read
PATCH /api/v1/tasks/{id} tasks:admin {"priority":1}
DELETE /api/v1/tasks/{id} tasks:admin
GET /api/v1/tasks/{id}/events tasks:read
POST /api/v1/tasks/{id}/cancel tasks:cancel
POST /api/v1/tasks/{id}/retry tasks:admin
GET /api/v1/queues tasks:admin
GET /api/v1/queues/{name} tasks:admin
PUT /api/v1/queues/{name} tasks:admin {"paused":true}
PATCH /api/v1/queues/{name} tasks:admin {"paused":true}
GET /api/v1/schedules tasks:admin
POST /api/v1/schedules tasks:admin {"name":"another","cron":"@daily","task":"another"}
GET /api/v1/schedules/{name} tasks:admin
PATCH /api/v1/schedules/{name} tasks:admin {"paused":true}
DELETE /api/v1/schedules/{name} tasks:admin
POST /api/v1/schedules/{name}/run tasks:admin
GET /api/v1/leases tasks:admin
POST /api/v1/leases tasks:work {"worker":"another","queues":["default"]}
POST /api/v1/leases/heartbeat tasks:work {"worker":"another","items":[]}
POST /api/v1/leases/complete tasks:work {"worker":"another","items":[]}
POST /api/v1/leases/fail tasks:work {"worker":"another","items":[]}
POST /api/v1/leases/snooze tasks:work {"worker":"another","items":[]}
POST /api/v1/leases/release tasks:work {"worker":"another","items":[]}
DELETE /api/v1/auth/sessions person
DELETE /api/v1/users/me person
"#;

/// Routes after which the caller is out.
const LAST: [&str; 2] = ["/api/v1/auth/sessions", "/api/v1/users/me"];

struct Route {
    method: &'static str,
    path: &'static str,
    access: &'static str,
    body: &'static str,
}

fn routes() -> Vec<Route> {
    let line = |line: &'static str| {
        let mut words = line.splitn(4, ' ');
        let mut word = || words.next().unwrap_or("{}");
        Route {
            method: word(),
            path: word(),
            access: word(),
            body: word(),
        }
    };
    ROUTES.trim().lines().map(line).collect()
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// With a credential that is none, or is none any more.
    Out,
    /// Who has registered and nothing else.
    User,
    /// The key of a machine that may read accounts.
    Key,
    Admin,
}

/// Status and code of whoever is not let in; `None` for whoever is.
fn refusal(kind: Kind, access: &str) -> Option<(u16, &'static str)> {
    let (scope, person) = match access {
        "person" => (None, true),
        _ => match access.strip_suffix("+person") {
            Some(scope) => (Some(scope), true),
            None => (Some(access), false),
        },
    };
    let holds = |scope| match kind {
        Kind::User => ["tasks:read", "tasks:cancel"].contains(&scope),
        Kind::Key => scope == "users:read",
        Kind::Out | Kind::Admin => false,
    };
    match kind {
        Kind::Out => Some((401, "token_invalid")),
        Kind::Admin => None,
        _ if !scope.is_none_or(holds) => Some((403, "insufficient_scope")),
        Kind::Key if person => Some((403, "person_required")),
        _ => None,
    }
}

/// What somebody owns, by the routes that name it.
struct Things {
    user: String,
    session: String,
    key: String,
    role: String,
    robot: String,
    robots_key: String,
}

impl Things {
    fn path(&self, path: &str) -> String {
        let id = match path.split("/{id}").next().unwrap_or_default() {
            "/api/v1/auth/sessions" => &self.session,
            "/api/v1/auth/api-keys" => &self.key,
            "/api/v1/auth/roles" => &self.role,
            "/api/v1/auth/service-accounts" => &self.robot,
            _ => &self.user,
        };
        let path = path.replace("{id}", id).replace("{key}", &self.robots_key);
        path.replace("{name}", "another")
    }
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

fn bearer(text: &str) -> Person {
    Person {
        access: text.to_owned(),
        refresh: String::new(),
    }
}

fn send(server: &Server, by: &Person, method: &str, path: &str, body: &str) -> Answer {
    let authorization = format!("Bearer {}", by.access);
    let headers = [
        ("authorization", authorization.as_str()),
        ("content-type", "application/json"),
    ];
    server.send(method, path, &headers, body)
}

fn make(server: &Server, by: &Person, path: &str, body: Value) -> Answer {
    server.send_as(by, "POST", path, &body).is(201)
}

/// What belongs to Ada, and to a machine, whose key comes with it.
fn things(server: &Server, ada: &Person, root: &Person) -> (Things, Person) {
    let me = server.get_as(ada, "/api/v1/users/me");
    let other = server.log_in("ada@example.org");
    let session = server.get_as(&other, "/api/v1/auth/sessions/current");
    let new = json!({ "name": "mine", "scopes": ["users:read"] });
    let keys = "/api/v1/auth/api-keys";
    let refused = server.send_as(ada, "POST", keys, &new);
    refused.is_problem(403, "scope_not_held");
    let role = json!({ "name": "reader", "scopes": ["users:read"] });
    let role = id(&make(server, root, "/api/v1/auth/roles", role));
    let robot = json!({ "name": "robot", "roles": ["reader"] });
    let robot = id(&make(server, root, "/api/v1/auth/service-accounts", robot));
    let path = format!("/api/v1/auth/service-accounts/{robot}/api-keys");
    let made = make(server, root, &path, new.clone());
    let key = bearer(made.json()["key"].as_str().unwrap());
    // People may give to a key what they hold themselves.
    let own = json!({ "name": "mine", "scopes": ["tasks:read"] });
    let things = Things {
        user: id(&me),
        session: id(&session),
        key: id(&make(server, ada, keys, own)),
        role,
        robot,
        robots_key: id(&made),
    };
    (things, key)
}

on_both! {
    /// A static token is nothing here: with auth no server starts that has one. What has expired is asked for where a
    /// test moves the clock.
    fn a2_every_route_lets_in_whom_it_is_for_and_nobody_else(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let [ada, bob, eve, gone] = ["ada", "bob", "eve", "gone"].map(|name| server.person(&format!("{name}@example.org")));
        let (things, key) = things(&server, &ada, &root);
        let off = id(&server.get_as(&eve, "/api/v1/users/me"));
        server.send_as(&root, "POST", &format!("/api/v1/users/{off}/disable"), &Value::Null).is(200);
        server.send_as(&gone, "POST", "/api/v1/auth/logout", &Value::Null).is(204);
        let callers = [
            ("a disabled account", eve, Kind::Out),
            ("an ended session", gone, Kind::Out),
            ("a static token", bearer("J5xQ7sVtAqfL1kZoP9uEiGjR3hXy6M0aHd7nJxQ0Yb8"), Kind::Out),
            ("another user", bob, Kind::User),
            ("a key of one scope", key, Kind::Key),
            ("a user", ada, Kind::User),
            ("an administrator", root, Kind::Admin),
        ];
        for route in routes().iter().filter(|route| route.access != "public") {
            let Route { method, access, body, .. } = *route;
            let path = things.path(route.path);
            let headers = [("content-type", "application/json")];
            server.send(method, &path, &headers, body).is_problem(401, "credentials_missing");
            for (name, caller, kind) in &callers {
                // What an administrator is let into must not be gone for the next question.
                let path = if *kind == Kind::Admin { route.path.replace("{id}", NOBODY).replace("{key}", NOBODY).replace("{name}", "another") } else { path.clone() };
                let again = match *name {
                    _ if method != "DELETE" || !LAST.contains(&route.path) => None,
                    "another user" => Some("bob@example.org"),
                    "a user" => Some("ada@example.org"),
                    "an administrator" => Some("root@example.org"),
                    _ => None,
                };
                let by = again.map_or_else(|| caller.clone(), |email| server.log_in(email));
                let answer = send(&server, &by, method, &path, body);
                let code = answer.json()["code"].as_str().unwrap_or_default().to_owned();
                match refusal(*kind, access) {
                    Some(expected) => assert_eq!((answer.status, &*code), expected, "{name}: {method} {path}: {answer:?}"),
                    None => {
                        let refused = answer.status == 401 || ["insufficient_scope", "person_required"].contains(&&*code);
                        assert!(!refused && answer.status < 500, "{name}: {method} {path}: {answer:?}");
                    }
                }
            }
        }
    }

    /// A3: what is somebody else's is answered like what is not there, and no spelling of a path leads around that.
    fn a3_what_is_somebody_elses_is_like_what_is_not_there(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let (ada, bob) = (server.person("ada@example.org"), server.person("bob@example.org"));
        let (things, _) = things(&server, &ada, &root);
        for route in routes().iter().filter(|route| route.access == "person" && route.path.contains("{id}")) {
            let theirs = send(&server, &bob, route.method, &things.path(route.path), route.body).is(404);
            for nobody in [NOBODY, "00000000-0000-0000-0000-000000000000"] {
                let path = route.path.replace("{id}", nobody);
                let missing = send(&server, &bob, route.method, &path, route.body).is(404);
                assert_eq!(theirs.json()["code"], missing.json()["code"], "{path}");
                assert_eq!(theirs.json()["detail"], missing.json()["detail"], "{path}");
            }
        }
        let user = &things.user;
        for nobody in [NOBODY, "00000000-0000-0000-0000-000000000000"] {
            server.get_as(&root, &format!("/api/v1/users/{nobody}")).is_problem(404, "user_not_found");
            server.get_as(&bob, &format!("/api/v1/users/{nobody}")).is_problem(403, "insufficient_scope");
        }
        for path in [
            format!("/api/v1/users/me/../{user}"), format!("/api/v1/users/me/%2e%2e/{user}"), format!("/api/v1/users/me%2f..%2f{user}"),
            format!("/api/v1/users//{user}"), format!("/api/v1/users/{user}/"), format!("/api/v1/users/{user};x"),
            format!("/api/v1/users/{user}%00"), format!("/api/v1/users/{user}/../me"), format!("/api/v1/users/./{user}"),
            format!("/api/v1/users/{}", user.replace('-', "")), format!("/api/v1/users/{{{user}}}"), format!("/api/v1/users/{user}%20"),
        ] {
            let answer = server.get_as(&bob, &path);
            assert!([400, 403, 404, 422].contains(&answer.status) && !answer.text.contains("ada@example.org"), "{path}: {answer:?}");
        }
    }
}

#[test]
fn a2_a_route_that_is_not_in_the_matrix_fails() {
    let server = crate::support::sqlite().start();
    let document = server.get("/openapi.json").is(200).json();
    let paths = document["paths"].as_object().unwrap().iter();
    let documented: BTreeSet<String> = paths
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    let listed = routes()
        .iter()
        .map(|route| format!("{} {}", route.method, route.path))
        .collect();
    assert_eq!(documented, listed);
}
