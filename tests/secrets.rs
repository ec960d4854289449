//! Whoever steals the database or reads the log finds nothing to log in with.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, People, Person, Server, sqlite};

const MISTAKEN: &str = "a password for a name";
const WRONG: &str = "a wrong password";

/// What somebody was given, or gave away, and what the server said all the while.
#[derive(Default)]
struct Seen {
    secrets: Vec<String>,
    answers: Vec<String>,
}

impl Seen {
    fn person(&mut self, answer: &Answer) -> Person {
        let person = Person::of(&answer.json());
        self.secrets
            .extend([person.access.clone(), person.refresh.clone()]);
        person
    }

    /// Makes an API key there, and uses it.
    fn key(&mut self, server: &Server, by: &Person, path: &str) -> String {
        let new = json!({ "name": "mine", "scopes": ["users:read"] });
        let made = server.send_as(by, "POST", path, &new).is(201).json();
        let key = made["key"].as_str().unwrap().to_owned();
        let bearer = Person {
            access: key.clone(),
            refresh: String::new(),
        };
        server.get_as(&bearer, "/api/v1/users").is(200);
        let id = made["id"].as_str().unwrap();
        for path in [path, &format!("{path}/{id}")] {
            self.answers.push(server.get_as(by, path).is(200).text);
        }
        // In every wrong place.
        self.answers.extend([
            server.get_as(&bearer, "/api/v1/users/me").text,
            server.get_as(&bearer, &format!("/api/v1/users/{key}")).text,
            server
                .get(&format!("/api/v1/users?access_token={key}"))
                .is(401)
                .text,
            server.get(&format!("/{key}")).is(404).text,
            server.refresh(&key).is(401).text,
            server
                .post(
                    "/api/v1/auth/login",
                    &json!({ "login": key, "password": key }),
                )
                .is(401)
                .text,
            server
                .post("/api/v1/auth/email/verify", &json!({ "token": key }))
                .is(400)
                .text,
        ]);
        self.secrets.push(key.clone());
        key
    }
}

/// Every file of the folder but the key, and the log.
fn files(data: &Path, log: String) -> Vec<(String, Vec<u8>)> {
    let files = fs::read_dir(data)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.file_name().unwrap() != "master.key");
    let read = |path: std::path::PathBuf| (path.display().to_string(), fs::read(&path).unwrap());
    files
        .map(read)
        .chain([("the log".to_owned(), log.into_bytes())])
        .collect()
}

fn holds(bytes: &[u8], secret: &str) -> bool {
    bytes
        .windows(secret.len())
        .any(|window| window == secret.as_bytes())
}

#[test]
#[cfg(feature = "sqlite")]
fn r12_o4_no_secret_is_in_the_database_the_log_or_an_answer() {
    let setup = sqlite().with("CGCG_LOG__LEVEL", "trace");
    let mut server = setup.start();
    let mut seen = Seen::default();
    let token = server.setup_token();
    let new = json!({ "token": token, "email": "root@example.org", "password": PASSWORD });
    let root = seen.person(&server.post("/api/v1/auth/setup", &new).is(201));
    seen.person(&server.refresh(&root.refresh).is(200));
    let form = [("content-type", "application/x-www-form-urlencoded")];
    let login = "username=root%40example.org&password=correct+horse+battery";
    let root = seen.person(
        &server
            .send("POST", "/api/v1/auth/token", &form, login)
            .is(200),
    );

    let own = seen.key(&server, &root, "/api/v1/auth/api-keys");
    let robot = json!({ "name": "robot", "roles": ["admin"] });
    let robot = server
        .send_as(&root, "POST", "/api/v1/auth/service-accounts", &robot)
        .is(201)
        .json();
    let keys = format!(
        "/api/v1/auth/service-accounts/{}/api-keys",
        robot["id"].as_str().unwrap()
    );
    let robots = seen.key(&server, &root, &keys);
    // A typing error is no reason to write a key down.
    for key in [own, robots] {
        let other = if key.ends_with('0') { "1" } else { "0" };
        let mistyped = format!("{}{other}", &key[..key.len() - 1]);
        let bearer = Person {
            access: mistyped.clone(),
            refresh: String::new(),
        };
        seen.answers
            .push(server.get_as(&bearer, "/api/v1/users").is(401).text);
        seen.secrets.push(mistyped);
    }
    // In the field of the name stands a password at times.
    for (login, password) in [(MISTAKEN, "x"), ("root@example.org", WRONG)] {
        let answer = server.post(
            "/api/v1/auth/login",
            &json!({ "login": login, "password": password }),
        );
        seen.answers.push(answer.is(401).text);
    }
    for path in [
        "/api/v1/auth/sessions",
        "/api/v1/auth/audit",
        "/api/v1/users",
        "/.well-known/jwks.json",
    ] {
        seen.answers.push(server.get_as(&root, path).is(200).text);
    }
    server
        .send_as(&root, "POST", "/api/v1/auth/logout", &Value::Null)
        .is(204);
    let data = server.data();
    server.signal("-TERM");
    server.ended();

    let master = fs::read_to_string(data.join("master.key")).unwrap();
    seen.secrets.extend([token, master.trim().to_owned()]);
    seen.secrets
        .extend([PASSWORD, WRONG, MISTAKEN].map(str::to_owned));
    let files = files(&data, setup.log());
    assert!(files.len() >= 2);
    for secret in &seen.secrets {
        for (name, bytes) in &files {
            assert!(!holds(bytes, secret), "{name} holds {secret}");
        }
        for answer in &seen.answers {
            assert!(!answer.contains(secret), "{answer} holds {secret}");
        }
    }
}
