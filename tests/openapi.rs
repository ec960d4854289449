//! The document says what the server does.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::support::sqlite;

/// Operations that anybody may call. A new one is written here by hand, or the test fails.
const PUBLIC: &[&str] = &[
    "get /.well-known/jwks.json",
    "get /api/v1/auth/dev/mail",
    "get /api/v1/auth/dev/mail/{id}",
    "get /api/v1/auth/pages/reset",
    "get /api/v1/auth/pages/setup",
    "get /api/v1/auth/pages/verify",
    "get /health/live",
    "get /health/ready",
    "post /api/v1/auth/email/resend",
    "post /api/v1/auth/email/verify",
    "post /api/v1/auth/login",
    "post /api/v1/auth/logout",
    "post /api/v1/auth/password/forgot",
    "post /api/v1/auth/password/reset",
    "post /api/v1/auth/refresh",
    "post /api/v1/auth/register",
    "post /api/v1/auth/setup",
    "post /api/v1/auth/token",
];

fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap().iter();
    let all = paths.flat_map(|(path, item)| {
        item.as_object()
            .unwrap()
            .iter()
            .map(move |(method, operation)| (method.clone(), path.clone(), operation.clone()))
    });
    all.collect()
}

#[test]
fn every_operation_but_the_public_ones_wants_a_credential() {
    let server = sqlite().start();
    let document = server.get("/openapi.json").is(200).json();
    let mut public = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let open = operation["security"].as_array().is_some_and(Vec::is_empty);
        let id = "01890000-0000-7000-8000-000000000000";
        let concrete = path
            .replace("{id}", id)
            .replace("{key}", id)
            .replace("{name}", "n");
        assert!(!concrete.contains('{'), "a new kind of path: {path}");
        if open
            || operation["security"]
                .as_array()
                .is_some_and(|ways| ways.contains(&json!({})))
        {
            public.insert(format!("{method} {path}"));
            continue;
        }
        assert!(
            operation["security"].is_array(),
            "{method} {path} says nothing about access"
        );
        let headers = [("content-type", "application/json")];
        server
            .send(&method.to_uppercase(), &concrete, &headers, "{}")
            .is_problem(401, "credentials_missing");
    }
    // Logout takes a bearer token or a refresh token.
    let known: BTreeSet<String> = PUBLIC
        .iter()
        .map(|operation| (*operation).to_owned())
        .collect();
    assert_eq!(public, known);
}

#[test]
fn every_operation_has_a_name_of_its_own_and_says_what_it_answers() {
    let server = sqlite().start();
    let document = server.get("/openapi.json").is(200).json();
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations(&document) {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
        assert!(
            operation["summary"]
                .as_str()
                .is_some_and(|text| !text.is_empty()),
            "{method} {path}"
        );
        let answers = operation["responses"].as_object().unwrap();
        assert!(
            answers.keys().any(|status| status.starts_with('2')),
            "{method} {path}"
        );
        for (status, answer) in answers
            .iter()
            .filter(|(status, _)| status.starts_with(['4', '5']))
        {
            assert!(
                !answer["content"].as_object().unwrap().is_empty(),
                "{method} {path} {status} has no body"
            );
        }
    }
}

/// The codes in a text: `snake_case` words in backticks.
fn codes(text: &str) -> BTreeSet<String> {
    let words = text.split('`').skip(1).step_by(2);
    let code = |word: &&str| {
        word.contains('_')
            && word
                .bytes()
                .all(|byte| byte == b'_' || byte.is_ascii_lowercase())
    };
    words.filter(code).map(str::to_owned).collect()
}

/// Every 4xx and 5xx that is documented is a problem, with codes that the README lists.
#[test]
fn o5_every_documented_failure_is_a_problem_with_a_listed_code() {
    let listed = include_str!("../README.md");
    let listed = listed.split_once("## Error codes").unwrap().1;
    let listed = codes(listed.split_once("\n## ").unwrap().0);
    let features = [
        include_str!("../crates/auth/README.md"),
        include_str!("../crates/tasks/README.md"),
        include_str!("../crates/users/README.md"),
    ];
    let of_features: BTreeSet<_> = features.into_iter().flat_map(codes).collect();
    let server = sqlite().start();
    let document = server.get("/openapi.json").is(200).json();
    for (method, path, operation) in operations(&document) {
        for (status, answer) in operation["responses"].as_object().unwrap() {
            if !status.starts_with(['4', '5']) {
                continue;
            }
            let kinds: Vec<_> = answer["content"].as_object().unwrap().keys().collect();
            let expected = match path.as_str() {
                "/api/v1/auth/token" if ["400", "429"].contains(&status.as_str()) => {
                    "application/json"
                }
                _ => "application/problem+json",
            };
            assert_eq!(kinds, [expected], "{method} {path} {status}");
            let told = codes(answer["description"].as_str().unwrap());
            assert!(
                !told.is_empty() || answer["description"].as_str().unwrap().contains('`'),
                "{method} {path} {status}"
            );
            for code in told {
                let known = listed.contains(&code) || of_features.contains(&code);
                assert!(known, "{method} {path} {status}: {code} is in no README");
            }
        }
    }
}

#[test]
fn the_document_is_the_one_that_was_reviewed() {
    let printed = sqlite().run(&["openapi"]);
    let printed: Value = serde_json::from_slice(&printed.stdout).unwrap();
    let reviewed: Value = serde_json::from_str(include_str!("openapi.json")).unwrap();
    assert!(
        printed == reviewed,
        "it changed; look at it, then: cargo run -q -- openapi > tests/openapi.json"
    );
}

#[test]
#[cfg(feature = "docs")]
fn the_docs_are_in_the_binary() {
    let server = sqlite().start();
    assert_eq!(
        server.get("/docs").is(308).header("location"),
        Some("/docs/")
    );
    let page = server.get("/docs/").is(200);
    assert!(page.text.contains("swagger-ui"));
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("connect-src 'self'")
    );
    assert!(
        !page.text.contains("https://"),
        "nothing may come from elsewhere"
    );
    for part in [
        "swagger-ui-bundle.js",
        "swagger-ui.css",
        "swagger-initializer.js",
    ] {
        server.get(&format!("/docs/{part}")).is(200);
    }
    server
        .get("/docs/nothing.js")
        .is_problem(404, "path_not_found");
}
