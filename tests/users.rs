//! Accounts over HTTP.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{PASSWORD, People, Setup};

on_both! {
    fn the_owner_changes_what_is_theirs_and_nothing_else(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let me = "/api/v1/users/me";
        let change = json!({ "display_name": "Ada", "username": "ada", "profile": { "likes": ["engines"] } });
        let changed = server.send_as(&ada, "PATCH", me, &change).is(200).json();
        assert_eq!((changed["display_name"].as_str(), changed["username"].as_str()), (Some("Ada"), Some("ada")));
        let cleared = server.send_as(&ada, "PATCH", me, &json!({ "display_name": null })).is(200).json();
        assert_eq!((&cleared["display_name"], cleared["username"].as_str()), (&Value::Null, Some("ada")));
    }

    /// What would make somebody more than they are is not even known, at no door.
    fn a1_no_other_field_makes_anybody_more(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let ada = server.person("ada@example.org");
        let before = server.get_as(&ada, "/api/v1/users/me").is(200).json();
        let path = format!("/api/v1/users/{}", before["id"].as_str().unwrap());
        let new = json!({ "email": "eve@example.org", "password": PASSWORD });
        for field in [
            "role", "roles", "is_superuser", "is_admin", "permissions", "scopes", "status", "email_verified_at", "id",
            "epoch", "version", "password_hash", "tenant",
        ] {
            let mut register = new.clone();
            register[field] = json!("x");
            let change = json!({ "display_name": "Ada", field: "x" });
            for answer in [
                server.post("/api/v1/auth/register", &register),
                server.send_as(&ada, "PATCH", "/api/v1/users/me", &change),
                server.send_as(&root, "PATCH", &path, &change),
            ] {
                let errors = &answer.is_problem(422, "validation_failed").json()["errors"];
                assert_eq!((&errors[0]["code"], &errors[0]["loc"]), (&json!("unknown_field"), &json!(["body", field])));
            }
        }
        for field in ["app_data", "email"] {
            let answer = server.send_as(&ada, "PATCH", "/api/v1/users/me", &json!({ field: "x" }));
            assert_eq!(answer.is_problem(422, "validation_failed").json()["errors"][0]["code"], "unknown_field");
        }
        assert_eq!(server.get_as(&ada, "/api/v1/users/me").is(200).json(), before);
        assert_eq!(server.get_as(&root, "/api/v1/users?email=eve%40example.org").is(200).json()["items"], json!([]));
    }

    fn a4_an_administrator_neither_sets_nor_sees_a_password(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let ada = server.person("ada@example.org");
        let id = server.get_as(&ada, "/api/v1/users/me").json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/users/{id}");
        for field in ["password", "new_password", "hash", "password_hash", "hashed_password"] {
            let body = json!({ "email": "eve@example.org", field: "staple of correct horses" });
            server.send_as(&root, "POST", "/api/v1/users", &body).is_problem(422, "validation_failed");
            server.send_as(&root, "PATCH", &path, &body).is_problem(422, "validation_failed");
        }
        let link = server.send_as(&root, "POST", &format!("/api/v1/auth/users/{id}/password-link"), &Value::Null).is(202);
        assert_eq!(link.json(), json!({ "status": "check_email" }));
        for path in ["/api/v1/users", &path, "/api/v1/auth/audit", &format!("/api/v1/auth/users/{id}/sessions")] {
            let seen = server.get_as(&root, path).is(200).text;
            assert!(["argon2", "hash", "cgo1_", "cgr1_", PASSWORD].iter().all(|secret| !seen.contains(secret)), "{path}: {seen}");
        }
        server.log_in("ada@example.org");
    }

    fn of_two_writers_who_read_the_same_one_wins(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let me = server.get_as(&ada, "/api/v1/users/me");
        let tag = me.header("etag").unwrap().to_owned();
        let bearer = format!("Bearer {}", ada.access);
        let headers = [("authorization", &*bearer), ("if-match", &*tag), ("content-type", "application/json")];
        let write = |name: &str| {
            let body = json!({ "display_name": name }).to_string();
            server.send("PATCH", "/api/v1/users/me", &headers, body)
        };
        assert_ne!(write("first").is(200).header("etag"), Some(&*tag));
        write("second").is_problem(412, "version_mismatch");
        assert_eq!(server.get_as(&ada, "/api/v1/users/me").json()["display_name"], "first");
    }

    fn pages_hold_every_account_once(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        for n in 0..12 {
            let new = json!({ "email": format!("user{n}@example.org") });
            server.send_as(&root, "POST", "/api/v1/users", &new).is(201);
        }
        let (mut seen, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let page = server.get_as(&root, &format!("/api/v1/users?limit=5{cursor}")).is(200).json();
            for user in page["items"].as_array().unwrap() {
                assert!(seen.insert(user["email"].as_str().unwrap().to_owned()), "{user} came twice");
            }
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(seen.len(), 13);
    }

    fn accounts_are_found_by_what_people_know_of_them(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        for email in ["ada@example.org", "adele@example.org", "a_b@example.org", "bob@example.org"] {
            server.send_as(&root, "POST", "/api/v1/users", &json!({ "email": email })).is(201);
        }
        let find = |query: &str| -> Vec<String> {
            let page = server.get_as(&root, &format!("/api/v1/users?{query}")).is(200).json();
            page["items"].as_array().unwrap().iter().map(|user| user["email"].as_str().unwrap().to_owned()).collect()
        };
        assert_eq!(find("email=ADA%40example.org"), ["ada@example.org"]);
        assert_eq!(find("q=ad"), ["ada@example.org", "adele@example.org"]);
        assert_eq!(find("q=a_"), ["a_b@example.org"]);
        assert_eq!(find("q=%25"), Vec::<String>::new());
        assert_eq!(find("status=disabled"), Vec::<String>::new());
    }

    fn r9_a_disabled_account_is_out_at_once_and_comes_back(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let ada = server.person("ada@example.org");
        let id = server.get_as(&ada, "/api/v1/users/me").json()["id"].as_str().unwrap().to_owned();
        let path = format!("/api/v1/users/{id}");
        let off = server.send_as(&root, "POST", &format!("{path}/disable"), &Value::Null).is(200);
        assert_eq!(off.json()["status"], "disabled");
        server.get_as(&ada, "/api/v1/users/me").is(401);
        server.refresh(&ada.refresh).is(401);
        server.send_as(&root, "POST", &format!("{path}/enable"), &Value::Null).is(200);
        server.log_in("ada@example.org");
    }
    fn a6_the_list_of_accounts_takes_no_odd_question(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        for query in [
            "limit=0", "limit=201", "limit=-1", "limit=1.5", "limit=99999999999999999999", "sort=email;drop+table+users", "order=id",
            "cursor=", "cursor=%27--", "cursor=AAAA", "offset=1", "status=%27", "limit=1&limit=2", "email[]=a",
        ] {
            server.get_as(&root, &format!("/api/v1/users?{query}")).is_problem(422, if query.starts_with("cursor") { "cursor_invalid" } else { "validation_failed" });
        }
        server.get_as(&root, "/api/v1/users?limit=200").is(200);
    }
}
