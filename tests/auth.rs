//! Logging in and staying logged in.

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, PASSWORD, People, Person, Server, Setup, sqlite};

fn form(server: &Server, body: &str) -> Answer {
    let headers = [
        ("content-type", "application/x-www-form-urlencoded"),
        ("authorization", "Basic YTpi"),
    ];
    server.send("POST", "/api/v1/auth/token", &headers, body)
}

fn log_in(server: &Server, login: &str, password: &str) -> Answer {
    server.post(
        "/api/v1/auth/login",
        &json!({ "login": login, "password": password }),
    )
}

/// Made of [`PASSWORD`] by passlib 1.7.4.
const BCRYPT: &str = "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq";

/// An account of each kind, by name; nobody is `absent`.
fn crowd(setup: &Setup) -> [&'static str; 5] {
    let file = setup.folder().join("crowd.csv");
    let lines = format!(
        "email,password_hash,email_verified\nknown@example.org,{BCRYPT},true\ndisabled@example.org,{BCRYPT},true\n\
         unproved@example.org,{BCRYPT},false\nwithout@example.org,,true\n"
    );
    std::fs::write(&file, lines).unwrap();
    let imported = setup.run(&["users", "import", "crowd.csv"]);
    assert!(imported.status.success(), "{imported:?}");
    ["absent", "known", "disabled", "unproved", "without"]
}

on_both! {
    fn an_account_registers_logs_in_and_out(setup: Setup) {
        let server = setup.start();
        let made = server.register("Ada@Example.ORG").is(201);
        let id = made.json()["id"].as_str().unwrap().to_owned();
        assert_eq!(made.header("location"), Some(&*format!("/api/v1/users/{id}")));
        let ada = server.log_in("ada@example.org");
        let me = server.get_as(&ada, "/api/v1/users/me").is(200);
        assert_eq!((me.json()["id"].as_str(), me.json()["email"].as_str()), (Some(&*id), Some("Ada@example.org")));
        server.send_as(&ada, "POST", "/api/v1/auth/logout", &Value::Null).is(204);
        server.get_as(&ada, "/api/v1/users/me").is_problem(401, "token_invalid");
        server.refresh(&ada.refresh).is_problem(401, "invalid_grant");
    }

    /// Absent, wrong, disabled, not yet proved, without a password, with a hash of another system: one answer.
    fn l1_what_is_wrong_with_a_login_is_not_told(setup: Setup) {
        let names = crowd(&setup);
        let mut server = setup.with("CGCG_AUTH__REGISTRATION__EMAIL_VERIFICATION", "required").start();
        let root = server.administrator();
        let off = server.get_as(&root, "/api/v1/users?email=disabled%40example.org").is(200).json();
        let off = off["items"][0]["id"].as_str().unwrap().to_owned();
        server.send_as(&root, "POST", &format!("/api/v1/users/{off}/disable"), &Value::Null).is(200);
        let alike = |what: &str, ask: &dyn Fn(&str) -> Answer| {
            let shapes: Vec<_> = names.iter().map(|name| ask(name).shape()).collect();
            assert!(shapes.iter().all(|shape| *shape == shapes[0]), "{what}: {shapes:#?}");
            shapes[0].clone()
        };
        let shape = alike("wrong", &|name| log_in(&server, &format!("{name}@example.org"), "a wrong password"));
        assert_eq!((shape.0, &shape.2["code"]), (401, &json!("invalid_credentials")));
        let shape = alike("wrong, by form", &|name| form(&server, &format!("username={name}%40example.org&password=wrong-password")));
        assert_eq!((shape.0, &shape.2["error"]), (400, &json!("invalid_grant")));
        for (what, password) in [("a number", json!(17)), ("nothing", Value::Null), ("too much", json!("x".repeat(129)))] {
            let shape = alike(what, &|name| {
                server.post("/api/v1/auth/login", &json!({ "login": format!("{name}@example.org"), "password": password }))
            });
            assert_eq!(shape.0, 422, "{what}");
        }
        for (status, rest) in [(400, ""), (400, "&password=a&password=b"), (400, "&password=")] {
            let shape = alike(rest, &|name| form(&server, &format!("username={name}%40example.org{rest}")));
            assert_eq!(shape.0, status, "{rest}");
        }
        log_in(&server, "disabled@example.org", PASSWORD).is_problem(403, "account_disabled");
        log_in(&server, "known@example.org", PASSWORD).is(200);
    }

    /// As RFC 6749 wants it, where that parts from our own custom.
    fn t1_the_token_endpoint_speaks_oauth(setup: Setup) {
        let server = setup.start();
        server.register("ada@example.org").is(201);
        let login = "grant_type=password&username=ada%40example.org&password=correct+horse+battery&foreign=1";
        let tokens = form(&server, login).is(200);
        assert_eq!(tokens.header("cache-control"), Some("no-store"));
        assert_eq!(tokens.json()["token_type"], "Bearer");
        let next = form(&server, &format!("grant_type=refresh_token&refresh_token={}", Person::of(&tokens.json()).refresh));
        server.get_as(&Person::of(&next.is(200).json()), "/api/v1/users/me").is(200);
        for (body, error) in [
            ("grant_type=password&username=a&username=b&password=c", "invalid_request"),
            ("grant_type=password&username=ada%40example.org", "invalid_request"),
            ("grant_type=client_credentials", "unsupported_grant_type"),
            ("grant_type=refresh_token&refresh_token=cgr1_no", "invalid_grant"),
            ("grant_type=password&username=ada%40example.org&password=correct+horse+battery&scope=no:such", "invalid_scope"),
        ] {
            let answer = form(&server, body).is(400);
            assert_eq!((answer.json()["error"].as_str(), answer.header("content-type")), (Some(error), Some("application/json")), "{body}");
        }
    }

    /// A session is found, named and ended by its owner, and by nobody else.
    fn r10_people_see_name_and_end_their_own_sessions(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let phone = server.person("ada@example.org");
        let laptop = server.log_in("ada@example.org");
        let bob = server.person("bob@example.org");
        let list = server.get_as(&laptop, "/api/v1/auth/sessions").is(200);
        assert!(!list.text.contains("cgr1_"));
        let list = list.json();
        let items = list["items"].as_array().unwrap();
        let current: Vec<_> = items.iter().map(|one| one["current"].as_bool().unwrap()).collect();
        assert_eq!((current, items[0]["ip"].as_str(), &list["next_cursor"]), (vec![true, false], Some("127.0.0.1"), &Value::Null));
        let path = format!("/api/v1/auth/sessions/{}", items[1]["id"].as_str().unwrap());
        let named = server.send_as(&laptop, "PATCH", &path, &json!({"label": "phone"})).is(200);
        assert_eq!(named.json()["label"], "phone");
        server.send_as(&laptop, "PATCH", &path, &json!({"label": "a\nb"})).is_problem(422, "validation_failed");
        for person in [&bob, &root] {
            server.send_as(person, "PATCH", &path, &json!({"label": "mine"})).is_problem(404, "session_not_found");
            server.send_as(person, "DELETE", &path, &Value::Null).is_problem(404, "session_not_found");
        }
        server.send_as(&laptop, "DELETE", &path, &Value::Null).is(204);
        server.get_as(&phone, "/api/v1/users/me").is_problem(401, "token_invalid");
        assert_eq!(server.get_as(&laptop, "/api/v1/auth/sessions/current").is(200).json()["current"], true);

        let id = server.get_as(&laptop, "/api/v1/users/me").json()["id"].as_str().unwrap().to_owned();
        let theirs = format!("/api/v1/auth/users/{id}/sessions");
        server.get_as(&bob, &theirs).is_problem(403, "insufficient_scope");
        assert_eq!(server.get_as(&root, &theirs).is(200).json()["items"].as_array().unwrap().len(), 1);
        server.send_as(&root, "DELETE", &theirs, &Value::Null).is(204);
        server.get_as(&laptop, "/api/v1/users/me").is(401);
        let audit = server.get_as(&root, &format!("/api/v1/auth/audit?subject={id}&action=session.revoked")).is(200).json();
        assert_eq!(audit["items"].as_array().unwrap().len(), 2);
        assert_eq!(audit["items"][0]["detail"]["reason"], "administrator");
        server.get_as(&bob, "/api/v1/auth/audit").is_problem(403, "insufficient_scope");
        server.get_as(&root, "/api/v1/auth/audit?action=Login").is_problem(422, "validation_failed");
    }

    /// Each credential is good for one thing.
    fn r11_one_credential_in_the_place_of_another_is_refused(setup: Setup) {
        let mut server = setup.start();
        let one_time = server.setup_token();
        let ada = server.person("ada@example.org");
        for wrong in [&ada.refresh, &one_time] {
            let thief = Person { access: wrong.clone(), refresh: String::new() };
            server.get_as(&thief, "/api/v1/users/me").is_problem(401, "token_invalid");
        }
        for wrong in [&ada.access, &one_time] {
            server.refresh(wrong).is(401);
        }
    }

    /// Two headers are refused; a cookie and the query are never read.
    fn j15_a_credential_comes_in_one_header_only(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let bearer = format!("Bearer {}", ada.access);
        let me = |headers: &[(&str, &str)]| server.send("GET", "/api/v1/users/me", headers, "");
        me(&[("authorization", &bearer), ("authorization", &bearer)]).is_problem(401, "token_invalid");
        me(&[("authorization", &bearer.replace("Bearer", "bEARER"))]).is(200);
        me(&[("authorization", &bearer.replace("Bearer", "Basic"))]).is_problem(401, "token_invalid");
        me(&[("cookie", &format!("access_token={}", ada.access))]).is_problem(401, "credentials_missing");
        server.get(&format!("/api/v1/users/me?access_token={}", ada.access)).is_problem(401, "credentials_missing");
    }

    fn keys_are_published_for_other_services(setup: Setup) {
        let server = setup.start();
        let keys = server.get("/.well-known/jwks.json").is(200);
        assert_eq!(keys.header("cache-control"), Some("public, max-age=3600"));
        let key = &keys.json()["keys"][0];
        assert_eq!((key["kty"].as_str(), key["crv"].as_str(), key["alg"].as_str()), (Some("OKP"), Some("Ed25519"), Some("EdDSA")));
        assert!(key.get("d").is_none(), "the private part is not for the world");
    }

    /// Whoever asks, and how often.
    fn a4_the_last_administrator_stays(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let id = server.get_as(&root, "/api/v1/users/me").json()["id"].as_str().unwrap().to_owned();
        server.send_as(&root, "POST", &format!("/api/v1/users/{id}/disable"), &Value::Null).is_problem(409, "last_admin");
        server.send_as(&root, "DELETE", "/api/v1/users/me", &Value::Null).is_problem(409, "last_admin");
        server.get_as(&root, "/api/v1/users/me").is(200);
    }

    fn u1_a_deleted_account_leaves_its_name_and_nothing_else(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let id = server.get_as(&ada, "/api/v1/users/me").json()["id"].clone();
        server.send_as(&ada, "DELETE", "/api/v1/users/me", &Value::Null).is(204);
        server.get_as(&ada, "/api/v1/users/me").is(401);
        log_in(&server, "ada@example.org", PASSWORD).is(401);
        let again = server.register("ada@example.org").is(201);
        assert_ne!(again.json()["id"], id);
    }
}

#[test]
fn registration_can_be_closed() {
    let server = sqlite()
        .with("CGCG_AUTH__REGISTRATION__POLICY", "closed")
        .start();
    server
        .register("ada@example.org")
        .is_problem(403, "registration_closed");
}
