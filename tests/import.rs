//! Accounts of other systems, by the command line.

use std::fs;

use serde_json::json;

use crate::on_both;
use crate::support::{PASSWORD, People, Setup};

/// Made of [`PASSWORD`] by passlib 1.7.4 and by Django 5.2.
const BCRYPT: &str = "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq";
const PBKDF2: &str =
    "pbkdf2_sha256$1000$iYaGIkmr9PjAYyuaMxJQe2$xLD5zomQFwxyYlVxZYZrpeyl/MEFcIk+3GwD0WeW5A8=";

/// What `cgcg users import` says of a file, and whether it succeeds.
fn import(setup: &Setup, name: &str, text: &str, options: &[&str]) -> (bool, String) {
    let folder = cgcg_testkit::folder();
    let file = folder.path().join(name);
    fs::write(&file, text).unwrap();
    let file = file.to_str().unwrap();
    let output = setup.run(&[&["users", "import", file], options].concat());
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8(said).unwrap();
    for secret in [BCRYPT, PBKDF2, "lAavawth"] {
        assert!(!said.contains(secret), "{said}");
    }
    (output.status.success(), said)
}

on_both! {
    fn accounts_of_a_file_log_in_and_what_is_wrong_is_told_by_line(setup: Setup) {
        let csv = format!(
            "email,username,password_hash,email_verified,roles\n\
             ada@example.org,ada,{BCRYPT},true,admin\n\
             bob@example.org,,{PBKDF2},1,\n\
             eve@example.org,,$2b$31{},,\n\
             eve@example.org,,,perhaps,\n\
             eve@example.org\n",
            &BCRYPT[6..],
        );
        let (fine, said) = import(&setup, "a.csv", &csv, &["--dry-run"]);
        assert!(!fine && said.contains("2 accounts would be made, 0 were there, 3 lines refused"), "{said}");
        let (fine, said) = import(&setup, "a.csv", &csv, &[]);
        assert!(!fine && said.contains("2 accounts made, 0 were there, 3 lines refused"), "{said}");
        for line in ["line 4: password_hash: password_hash_invalid", "line 5: email_verified:", "line 6:"] {
            assert!(said.contains(line), "{said}");
        }
        let (_, said) = import(&setup, "a.csv", &csv, &[]);
        assert!(said.contains("0 accounts made, 2 were there"), "{said}");
        let server = setup.start();
        for login in ["ada", "bob@example.org"] {
            let body = json!({"login": login, "password": PASSWORD});
            server.post("/api/v1/auth/login", &body).is(200);
            server.post("/api/v1/auth/login", &body).is(200);
        }
    }

    fn a_file_of_json_lines_is_read_while_the_server_runs(setup: Setup) {
        let server = setup.start();
        let good = json!({"email": "ada@example.org", "password_hash": BCRYPT, "email_verified": true});
        let lines = format!("{good}\n\n{}\n[\"x\"]\n{{\"email\":\n", json!({"email": "b@example.org", "hash": BCRYPT}));
        let (fine, said) = import(&setup, "a.jsonl", &lines, &[]);
        assert!(!fine && said.contains("1 accounts made, 0 were there, 3 lines refused"), "{said}");
        for line in ["line 3: column", "line 4: expected a JSON object", "line 5: column"] {
            assert!(said.contains(line), "{said}");
        }
        let body = json!({"login": "ada@example.org", "password": PASSWORD});
        server.post("/api/v1/auth/login", &body).is(200);
        let (fine, said) = import(&setup, "a.csv", "email,hash\n", &[]);
        assert!(!fine && said.contains("column 2 of the first line"), "{said}");
    }
}
