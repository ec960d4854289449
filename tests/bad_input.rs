//! What nobody should send: each a problem with its code, nothing written, nothing broken.

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, PASSWORD, People, Person, Server, Setup, sqlite};

/// Status, code, and the wrong field with its own code.
type Expected = (u16, &'static str, Option<(String, &'static str)>);

const JSON: (&str, &str) = ("content-type", "application/json");

fn register(server: &Server, body: &[u8]) -> Answer {
    server.send("POST", "/api/v1/auth/register", &[JSON], body)
}

fn accounts(server: &Server, root: &Person) -> usize {
    server
        .get_as(root, "/api/v1/users?limit=200")
        .is(200)
        .json()["items"]
        .as_array()
        .unwrap()
        .len()
}

on_both! {
    fn bad_bodies_are_refused_and_leave_nothing(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        server.register("ada@example.org").is(201);
        let before = accounts(&server, &root);
        let long = format!(r#"{{"email":"{}@example.org","password":"{PASSWORD}"}}"#, "a".repeat(300));
        let deep = format!(r#"{{"email":{}"#, "[".repeat(10_000));
        let field = |name: &str, code: &'static str| (422, "validation_failed", Some((name.to_owned(), code)));
        let whole = |status: u16, code: &'static str| (status, code, None);
        let table: Vec<(&[u8], Expected)> = vec![
            (b"", whole(400, "body_invalid")),
            (b"hello", whole(400, "body_invalid")),
            (b"{\"email\":", whole(400, "body_invalid")),
            (b"{\"email\":\"\xff\xfe\"}", whole(400, "body_invalid")),
            (b"{} {}", field("email", "missing_field")),
            (deep.as_bytes(), field("email", "wrong_type")),
            (b"[]", whole(422, "validation_failed")),
            // serde takes a list for an object, by position.
            (b" [\"b@example.org\",\"correct horse battery\",null,null]", whole(422, "validation_failed")),
            (b"{\"email\":7,\"password\":\"correct horse battery\"}", field("email", "wrong_type")),
            (b"{\"email\":null,\"password\":\"correct horse battery\"}", field("email", "wrong_type")),
            (b"{\"email\":\"b@example.org\"}", field("password", "missing_field")),
            (b"{\"email\":\"b@example.org\",\"password\":\"correct horse battery\",\"admin\":true}", field("admin", "unknown_field")),
            (b"{\"email\":\"b@example.org\",\"email\":\"c@example.org\",\"password\":\"correct horse battery\"}", field("email", "duplicate_field")),
            (long.as_bytes(), field("email", "email_invalid")),
            (b"{\"email\":\"b\\u0000@example.org\",\"password\":\"correct horse battery\"}", field("email", "email_invalid")),
            (b"{\"email\":\"b@example.org\",\"password\":\"short\"}", field("password", "password_too_short")),
            (b"{\"email\":\"b@example.org\",\"password\":\"correct horse battery\",\"display_name\":\"a\\u0000b\"}", field("display_name", "text_invalid")),
            // Between code and text of our own errors stands the same letter.
            (b"{\"a\\u001fb\":1}", field("a\u{1f}b", "unknown_field")),
            (b"{\"email\":\"ADA@EXAMPLE.ORG\",\"password\":\"correct horse battery\"}", whole(409, "email_taken")),
        ];
        for (body, (status, code, wrong)) in table {
            let answer = register(&server, body);
            answer.is_problem(status, code);
            if let Some((name, code)) = wrong {
                let error = &answer.json()["errors"][0];
                assert_eq!((&error["loc"], error["code"].as_str()), (&json!(["body", name]), Some(code)), "{answer:?}");
            }
        }
        server.send("POST", "/api/v1/auth/register", &[("content-type", "text/plain")], "{}").is_problem(415, "media_type_unsupported");
        let packed = [("content-type", "application/json"), ("content-encoding", "gzip")];
        server.send("POST", "/api/v1/auth/register", &packed, "{}").is_problem(415, "content_encoding_unsupported");
        register(&server, &vec![b' '; 10 << 20]).is_problem(413, "body_too_large");
        assert_eq!(accounts(&server, &root), before);
        assert!(!setup.log().contains("panicked"), "{}", setup.log());
    }

    fn bad_queries_and_paths_are_refused(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        for (query, name, code) in [
            ("limit=0", "limit", "out_of_range"),
            ("limit=201", "limit", "out_of_range"),
            ("limit=1000000000", "limit", "out_of_range"),
            ("limit=-1", "limit", "out_of_range"),
            ("limit=99999999999999999999", "limit", "wrong_type"),
            ("limit=ten", "limit", "wrong_type"),
            ("limit=1&limit=2", "limit", "duplicate_field"),
            ("sort=email", "sort", "unknown_field"),
            ("status=gone", "status", "value_unknown"),
            ("q=%00", "q", "text_invalid"),
            ("a%1fb=1", "a\u{1f}b", "unknown_field"),
        ] {
            let answer = server.get_as(&root, &format!("/api/v1/users?{query}"));
            let error = &answer.is_problem(422, "validation_failed").json()["errors"][0];
            assert_eq!((&error["loc"], error["code"].as_str()), (&json!(["query", name]), Some(code)), "{query}");
        }
        for cursor in ["x", "AAAA", "'; drop table users", &"A".repeat(34), &"A".repeat(5_000)] {
            let path = format!("/api/v1/users?cursor={}", cursor.replace(' ', "%20"));
            server.get_as(&root, &path).is_problem(422, "cursor_invalid");
        }
        for id in ["seven", "7", "%00", "00000000000000000000000000000000", "01890000-0000-7000-8000-00000000000g"] {
            let error = server.get_as(&root, &format!("/api/v1/users/{id}"));
            let error = &error.is_problem(422, "validation_failed").json()["errors"][0];
            assert_eq!(error["loc"], json!(["path", "id"]), "{id}");
        }
        for path in ["/api/v1/users/../../etc", "/api/v1//users", "/api/v1/users/", "/api/v1/users/%2e%2e/x"] {
            let status = server.get_as(&root, path).status;
            assert!([404, 422].contains(&status), "{path}: {status}");
        }
        assert!(!setup.log().contains("panicked"), "{}", setup.log());
    }

    /// PostgreSQL cannot store U+0000 in text or JSON: it must not get that far, on either database.
    fn a_profile_that_cannot_be_stored_everywhere_is_refused(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let patch = |profile: Value| server.send_as(&ada, "PATCH", "/api/v1/users/me", &json!({ "profile": profile }));
        patch(json!({ "a": "\0" })).is_problem(422, "validation_failed");
        patch(json!({ "\0": 1 })).is_problem(422, "validation_failed");
        patch(json!("text")).is_problem(422, "validation_failed");
        patch(json!({ "a": "x".repeat(9_000) })).is_problem(422, "validation_failed");
        let deepest = format!("{{\"profile\":{}1{}}}", "{\"a\":".repeat(200), "}".repeat(200));
        let bearer = format!("Bearer {}", ada.access);
        let headers = [("authorization", bearer.as_str()), JSON];
        server.send("PATCH", "/api/v1/users/me", &headers, deepest).is_problem(400, "body_invalid");
        let deep = (0..60).fold(json!(1), |inner, _| json!({ "a": inner }));
        patch(deep).is_problem(422, "validation_failed");
        assert_eq!(server.get_as(&ada, "/api/v1/users/me").json()["profile"], json!({}));
    }

    fn a_credential_that_is_none_is_refused(setup: Setup) {
        let server = setup.start();
        let long = "x".repeat(9_000);
        for token in ["", "x", "a.b.c", "....", "null", &*long] {
            let bearer = format!("Bearer {token}");
            let answer = server.send("GET", "/api/v1/users/me", &[("authorization", &bearer)], "");
            assert!(answer.is_problem(401, "token_invalid").header("www-authenticate").is_some(), "{token:.20}");
        }
    }
}

/// What is not HTTP never reaches a route.
#[test]
fn what_is_not_http_is_refused() {
    let server = sqlite().start();
    let many = format!("GET / HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(200));
    let long = format!("GET / HTTP/1.1\r\na: {}\r\n\r\n", "b".repeat(300_000));
    for bytes in [
        "\0\0\0\0\r\n\r\n",
        "GET\r\n\r\n",
        "GET / HTTP/9.9\r\n\r\n",
        &many,
        &long,
    ] {
        if let Some(answer) = server.try_exchange(bytes.as_bytes()) {
            assert!((400..500).contains(&answer.status), "{answer:?}");
        }
    }
    server.get("/health/live").is(200);
}

#[test]
fn a_user_name_where_there_are_none_is_refused() {
    let server = sqlite().with("CGCG_USERS__USERNAMES", "off").start();
    let new = json!({ "email": "ada@example.org", "password": PASSWORD, "username": "ada" });
    let answer = server.post("/api/v1/auth/register", &new);
    let error = &answer.is_problem(422, "validation_failed").json()["errors"][0];
    assert_eq!(
        (&error["loc"], error["code"].as_str()),
        (&json!(["body", "username"]), Some("usernames_off"))
    );
}
