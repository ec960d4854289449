//! Signing keys and the master key, by the command line.

use serde_json::Value;

use crate::on_both;
use crate::support::{People, Server, Setup};

const OLD: &str = "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=";
const NEW: &str = "Hd7nJxQ0Yb8r2cWm5sVtAqfL1kZoP9uEiGjR3hXy6M0=";

/// What the command prints; it must succeed.
fn said(setup: &Setup, arguments: &[&str]) -> String {
    let output = setup.run(arguments);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {stderr}");
    String::from_utf8(output.stdout).unwrap()
}

fn keys(setup: &Setup, arguments: &[&str]) -> Vec<Value> {
    let printed: Value = serde_json::from_str(&said(setup, arguments)).unwrap();
    printed.as_array().unwrap().clone()
}

fn kid<'a>(keys: &'a [Value], state: &str) -> &'a str {
    let found = keys.iter().find(|key| key["state"] == state);
    found.unwrap()["kid"].as_str().unwrap()
}

fn published(server: &Server) -> Vec<String> {
    let jwks = server.get("/.well-known/jwks.json").is(200).json();
    let keys = jwks["keys"].as_array().unwrap().iter();
    keys.map(|key| key["kid"].as_str().unwrap().to_owned())
        .collect()
}

on_both! {
    fn the_command_line_lists_and_rotates_the_signing_keys(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let before = keys(&setup, &["keys", "list", "--json"]);
        assert_eq!(before.len(), 2);
        let mut names: Vec<_> = before.iter().map(|key| key["kid"].as_str().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(published(&server), names);
        let table = said(&setup, &["keys", "list"]);
        assert!(table.contains("active   signs since") && table.contains("next     signs from"), "{table}");
        // It was published a moment ago: it waits for the other nodes, or for the verifiers too.
        let hurried = keys(&setup, &["keys", "rotate", "--now", "--json"]);
        assert_eq!(kid(&hurried, "active"), kid(&before, "active"));
        let when = |keys: &[Value]| keys.iter().find(|key| key["state"] == "next").unwrap()["activate_at"].as_str().unwrap().to_owned();
        assert!(when(&hurried) < when(&before));
        let revoked = keys(&setup, &["keys", "rotate", "--revoke", kid(&before, "active"), "--json"]);
        assert_eq!(kid(&revoked, "active"), kid(&before, "next"));
        assert_eq!(setup.run(&["keys", "rotate", "--revoke", "nobody"]).status.code(), Some(1));
        let hyphen = setup.run(&["keys", "rotate", "--revoke", "-JFhcwtuoLkkH49Avu1fVP6dKLp_FMmppC-1Fz2TxNs"]);
        assert_eq!(hyphen.status.code(), Some(1), "an id that begins with a hyphen is an id");
        server.refresh(&ada.refresh).is(200);
        drop(server);
        let server = setup.start();
        server.get_as(&ada, "/api/v1/users/me").is_problem(401, "token_invalid");
    }

    fn another_master_key_takes_over_without_a_lost_session(setup: Setup) {
        let old = setup.clone().with("CGCG_KEYS__MASTER", OLD);
        let both = setup.clone().with("CGCG_KEYS__MASTER", NEW).with("CGCG_KEYS__PREVIOUS", OLD);
        let new = setup.clone().with("CGCG_KEYS__MASTER", NEW);
        let server = old.start();
        let ada = server.person("ada@example.org");
        drop(server);
        let refused = |setup: &Setup, arguments: &[&str], mend: &str| {
            let output = setup.run(arguments);
            assert_eq!(output.status.code(), Some(1));
            let said = String::from_utf8(output.stderr).unwrap();
            assert!(said.contains(mend), "{said}");
        };
        refused(&new, &["serve"], "keys.previous");
        refused(&old, &["keys", "rotate-master"], "keys.previous");
        let same = old.clone().with("CGCG_KEYS__PREVIOUS", OLD);
        refused(&same, &["serve"], "keys.previous");
        let server = both.start();
        server.get_as(&ada, "/api/v1/users/me").is(200);
        said(&both, &["keys", "rotate-master"]);
        said(&both, &["keys", "rotate-master"]);
        let ada = crate::support::Person::of(&server.refresh(&ada.refresh).is(200).json());
        drop(server);
        refused(&old, &["serve"], "bring the key");
        let server = new.start();
        server.get_as(&ada, "/api/v1/users/me").is(200);
        server.refresh(&ada.refresh).is(200);
    }
}
