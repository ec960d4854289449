//! Whoever guesses waits.

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, PASSWORD, People, Person, Server, Setup, sqlite};

const JSON: [(&str, &str); 1] = [("content-type", "application/json")];

/// Three logins, and then one each 20 s: a slow machine must not refill the bucket meanwhile.
fn counted(setup: Setup) -> Setup {
    setup
        .with("CGCG_AUTH__THROTTLE__ADDRESSES", "true")
        .with("CGCG_AUTH__THROTTLE__LOGINS_PER_MINUTE", "3")
}

fn guess(server: &Server, path: &str, headers: &[(&str, &str)], at: usize) -> Answer {
    let body =
        json!({ "login": format!("nobody{at}"), "password": "a wrong password" }).to_string();
    let headers = [&JSON[..], headers].concat();
    server.send("POST", path, &headers, body)
}

on_both! {
    fn b4_no_other_spelling_of_a_path_has_another_bucket(setup: Setup) {
        let server = counted(setup).start();
        server.register("ada@example.org").is(201);
        for at in 0..3 {
            guess(&server, "/api/v1/auth/login", &[], at).is_problem(401, "invalid_credentials");
        }
        let refused = guess(&server, "/api/v1/auth/login", &[], 30);
        let wait: u64 = refused.is_problem(429, "throttled").header("retry-after").unwrap().parse().unwrap();
        assert!((1..=20).contains(&wait), "{wait}");
        for path in [
            "//api/v1/auth/login", "/api/v1//auth/login", "/api/v1/auth//login", "/api/v1/auth/./login", "/api/v1/auth/login/",
            "/api/v1/auth/%6cogin", "/api/v1/auth/login%2e", "/api/v1/auth/x/../login", "/api/v1/auth/login;x=1",
            "/api/v1/auth/login?x=1", "/API/v1/auth/login", "/api/v1/auth/Login",
        ] {
            let answer = guess(&server, path, &[], 31);
            assert!([404, 429].contains(&answer.status), "{path}: {answer:?}");
        }
        // Nobody here trusts what a stranger says of itself.
        for headers in [[("x-forwarded-for", "198.51.100.1")], [("forwarded", "for=198.51.100.1")], [("x-real-ip", "198.51.100.1")]] {
            guess(&server, "/api/v1/auth/login", &headers, 32).is_problem(429, "throttled");
        }
        // The other door has the same bucket, in its own words.
        let form = [("content-type", "application/x-www-form-urlencoded")];
        let answer = server.send("POST", "/api/v1/auth/token", &form, "username=ada%40example.org&password=x").is(429);
        assert_eq!((answer.json()["error"].as_str(), answer.json()["code"].as_str()), (Some("temporarily_unavailable"), Some("throttled")));
        assert!(answer.header("retry-after").is_some());
    }

    fn b3_behind_a_trusted_proxy_the_right_most_stranger_counts(setup: Setup) {
        let server = counted(setup).with("CGCG_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]").start();
        let from = |address: &str, at| guess(&server, "/api/v1/auth/login", &[("x-forwarded-for", address)], at);
        for at in 0..3 {
            from(&format!("198.51.100.{at}, 2001:db8:1:2::{at}"), at).is_problem(401, "invalid_credentials");
        }
        from("198.51.100.99, 2001:db8:1:2:ffff::1", 30).is_problem(429, "throttled");
        from("2001:db8:1:3::1", 31).is_problem(401, "invalid_credentials");
    }

    fn b1_an_account_that_is_guessed_at_closes_for_strangers_only(setup: Setup) {
        let server = setup.with("CGCG_HTTP__TRUSTED_PROXIES", "[\"127.0.0.1\"]").start();
        server.register("ada@example.org").is(201);
        let from = |address: &str, password: &str| {
            let headers = [JSON[0], ("x-forwarded-for", address)];
            let body = json!({ "login": "ada@example.org", "password": password }).to_string();
            server.send("POST", "/api/v1/auth/login", &headers, body)
        };
        from("192.0.2.1", PASSWORD).is(200);
        let closed = (0..100).find(|at| from(&format!("198.51.100.{at}"), "a wrong password").status == 429);
        assert!(closed.is_some_and(|at| at >= 6), "{closed:?}");
        from("192.0.2.1", PASSWORD).is(200);
    }

    fn bad_tokens_of_an_address_are_counted_and_good_ones_pass(setup: Setup) {
        let server = setup.with("CGCG_LIMITS__BAD_TOKENS", "5").start();
        let ada = server.person("ada@example.org");
        let thief = Person { access: "no.such.token".to_owned(), refresh: String::new() };
        for _ in 0..5 {
            server.get_as(&thief, "/api/v1/users/me").is_problem(401, "token_invalid");
        }
        let refused = server.get_as(&thief, "/api/v1/users/me");
        assert!(refused.is_problem(429, "throttled").header("retry-after").is_some());
        server.get_as(&ada, "/api/v1/users/me").is(200);
    }
}

#[test]
fn b1_failures_are_remembered_over_a_restart() {
    let server = sqlite().start();
    server.register("ada@example.org").is(201);
    let guess = |server: &Server| {
        let body = json!({ "login": "ada@example.org", "password": "a wrong password" });
        server.post("/api/v1/auth/login", &body)
    };
    for _ in 0..10 {
        guess(&server);
    }
    let server = server.kill_and_start();
    let statuses: Vec<Value> = (0..6).map(|_| guess(&server).status.into()).collect();
    assert!(statuses.contains(&429.into()), "{statuses:?}");
}
