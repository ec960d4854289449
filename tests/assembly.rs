//! What is in this build, and what is not.

use crate::support::sqlite;

#[test]
fn every_set_of_features_boots() {
    let server = sqlite().start();
    assert_eq!(server.get("/health/live").is(200).json()["status"], "ok");
    assert_eq!(server.get("/health/ready").is(200).json()["status"], "ok");
    assert_eq!(
        server.get("/openapi.json").is(200).json()["openapi"],
        "3.1.0"
    );
}

#[test]
#[cfg(not(feature = "users"))]
fn accounts_that_are_not_compiled_in_say_so() {
    let server = sqlite().start();
    let answer = server.get("/api/v1/users/me");
    assert_eq!(
        answer.is_problem(404, "feature_not_compiled").json()["feature"],
        "users"
    );
}

#[test]
#[cfg(not(feature = "auth"))]
fn auth_that_is_not_compiled_in_says_so() {
    let server = sqlite().start();
    for path in ["/api/v1/auth/login", "/.well-known/jwks.json"] {
        let answer = server.get(path);
        let answer = answer.is_problem(404, "feature_not_compiled").json();
        assert_eq!(answer["feature"], "auth", "{path}");
    }
}

#[test]
#[cfg(not(feature = "docs"))]
fn docs_that_are_not_compiled_in_say_so() {
    sqlite()
        .start()
        .get("/docs")
        .is_problem(404, "feature_not_compiled");
}

/// Nothing can check credentials there: closed, and never open.
#[test]
#[cfg(all(feature = "users", not(feature = "auth")))]
fn s1_without_auth_and_tokens_every_protected_route_is_unavailable() {
    let server = sqlite().start();
    let document = server.get("/openapi.json").is(200).json();
    let mut asked = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let ways = operation["security"].as_array().unwrap();
            if ways.is_empty() || ways.contains(&serde_json::json!({})) {
                continue;
            }
            let id = "01945c5e-0000-7000-8000-000000000001";
            let path = path.replace("{id}", id).replace("{name}", "n");
            for headers in [vec![], vec![("authorization", "Bearer abc")]] {
                let answer = server.send(&method.to_uppercase(), &path, &headers, "");
                let answer = answer.is_problem(503, "auth_unavailable");
                assert!(answer.header("retry-after").is_some(), "{method} {path}");
            }
            asked += 1;
        }
    }
    assert!(asked > 5, "{asked} operations");
}

#[test]
#[cfg(all(feature = "users", not(feature = "auth")))]
fn s1_without_auth_a_static_token_of_the_settings_lets_in() {
    let setup = sqlite();
    let printed = setup
        .run(&["admin", "token", "--name", "ci", "--scope", "users:read"])
        .stdout;
    let printed = String::from_utf8(printed).unwrap();
    let token = printed
        .lines()
        .find_map(|line| line.strip_prefix("token, shown once: "))
        .unwrap();
    let block = printed.split_once("\n\n").unwrap().1;
    std::fs::write(setup.folder().join("cgcg.toml"), block).unwrap();
    let server = setup.start();
    let bearer = format!("Bearer {token}");
    let get = |path: &str| server.send("GET", path, &[("authorization", &bearer)], "");
    assert!(get("/api/v1/users").is(200).json()["items"].is_array());
    get("/api/v1/users/me").is_problem(403, "person_required");
    let headers = [
        ("authorization", bearer.as_str()),
        ("content-type", "application/json"),
    ];
    let answer = server.send(
        "POST",
        "/api/v1/users",
        &headers,
        r#"{"email":"a@example.org"}"#,
    );
    answer.is_problem(403, "insufficient_scope");
}
