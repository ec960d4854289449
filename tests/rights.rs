//! Who may do what: roles, machines and their keys.

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, People, Person, Server, Setup};

/// Somebody who shows this text.
fn bearer(text: &str) -> Person {
    Person {
        access: text.to_owned(),
        refresh: String::new(),
    }
}

fn send(server: &Server, by: &Person, method: &str, path: &str, body: Value) -> Answer {
    server.send_as(by, method, &format!("/api/v1/auth{path}"), &body)
}

fn id(answer: &Answer) -> String {
    answer.json()["id"].as_str().unwrap().to_owned()
}

/// A machine that may read accounts, and its key.
fn machine(server: &Server, root: &Person) -> (String, Answer) {
    let role = json!({ "name": "reader", "scopes": ["users:read"] });
    send(server, root, "POST", "/roles", role).is(201);
    let new = json!({ "name": "robot", "roles": ["reader"] });
    let robot = id(&send(server, root, "POST", "/service-accounts", new).is(201));
    let new = json!({ "name": "nightly", "scopes": ["users:read"] });
    let keys = format!("/service-accounts/{robot}/api-keys");
    (robot, send(server, root, "POST", &keys, new).is(201))
}

on_both! {
    fn a_machine_reads_what_its_role_lets_it_read(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let (robot, made) = machine(&server, &root);
        let key = bearer(made.json()["key"].as_str().unwrap());
        server.get_as(&key, "/api/v1/users").is(200);
        server.get_as(&key, "/api/v1/users/me").is_problem(403, "person_required");
        server.send_as(&key, "POST", "/api/v1/users", &json!({ "email": "eve@example.org" })).is_problem(403, "insufficient_scope");
        send(&server, &key, "GET", "/api-keys", Value::Null).is_problem(403, "person_required");

        let roles = format!("/service-accounts/{robot}/roles");
        send(&server, &root, "PUT", &roles, json!({ "roles": [] })).is(200);
        server.get_as(&key, "/api/v1/users").is_problem(403, "insufficient_scope");
        send(&server, &root, "PUT", &roles, json!({ "roles": ["reader"] })).is(200);
        server.get_as(&key, "/api/v1/users").is(200);
        let robot = format!("/service-accounts/{robot}");
        send(&server, &root, "PATCH", &robot, json!({ "disabled": true })).is(200);
        server.get_as(&key, "/api/v1/users").is_problem(401, "token_invalid");
    }

    fn the_shell_gives_a_role(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let printed = setup.run(&["admin", "grant", "ada@example.org", "admin"]);
        assert!(String::from_utf8_lossy(&printed.stdout).contains("roles now: admin, user"), "{printed:?}");
        let ada = Person::of(&server.refresh(&ada.refresh).is(200).json());
        send(&server, &ada, "GET", "/roles", Value::Null).is(200);
    }

    /// Whoever asks, and however many at once.
    fn a4_twenty_demotions_at_once_leave_an_administrator(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let mut admins = vec![id(&server.get_as(&root, "/api/v1/users/me"))];
        for name in ["ada", "bob", "eve"] {
            let made = id(&server.register(&format!("{name}@example.org")).is(201));
            send(&server, &root, "PUT", &format!("/users/{made}/roles"), json!({ "roles": ["user", "admin"] })).is(200);
            admins.push(made);
        }
        let persons = ["root", "ada", "bob", "eve"].map(|name| server.log_in(&format!("{name}@example.org")));
        let (server, admins) = (&server, &admins);
        let left = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..20)
                .map(|at| {
                    let by = &persons[at % 4];
                    let path = format!("/users/{}/roles", admins[at / 5]);
                    scope.spawn(move || send(server, by, "PUT", &path, json!({ "roles": ["user"] })).status)
                })
                .collect();
            let statuses: Vec<u16> = tries.into_iter().map(|one| one.join().unwrap()).collect();
            assert!(statuses.iter().all(|status| [200, 401, 403, 409].contains(status)), "{statuses:?}");
            persons.iter().filter(|by| {
                let fresh = Person::of(&server.refresh(&by.refresh).is(200).json());
                send(server, &fresh, "GET", "/roles", Value::Null).status == 200
            }).count()
        });
        assert!(left >= 1, "nobody is left");
    }

    /// It works as a bearer token only, and ends when it is revoked.
    fn k2_k3_r11_a_key_is_shown_once_and_good_for_one_thing(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let made = send(&server, &root, "POST", "/api-keys", json!({ "name": "mine", "scopes": ["users:read"] })).is(201);
        let text = made.json()["key"].as_str().unwrap().to_owned();
        let key = bearer(&text);
        server.get_as(&key, "/api/v1/users").is(200);
        server.refresh(&text).is_problem(401, "invalid_grant");
        assert!(!send(&server, &root, "GET", "/api-keys", Value::Null).is(200).text.contains(&text));
        send(&server, &root, "DELETE", &format!("/api-keys/{}", id(&made)), Value::Null).is(204);
        server.get_as(&key, "/api/v1/users").is_problem(401, "token_invalid");
    }
}
