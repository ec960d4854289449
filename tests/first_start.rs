//! From nothing to an administrator, and what is kept.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::json;

use crate::on_both;
use crate::support::{PASSWORD, People, Person, Setup, sqlite};

on_both! {
    fn the_link_makes_one_administrator_and_no_second(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        assert_eq!(server.get_as(&root, "/api/v1/users/me").is(200).json()["scopes"], json!(["*"]));
        let again = json!({ "token": "cgo1_AAAA", "email": "eve@example.org", "password": PASSWORD });
        assert_eq!(server.post("/api/v1/auth/setup", &again).status, 404);
        let link = setup.run(&["admin", "link"]);
        assert!(!link.status.success());
    }

    fn o1_fifty_that_open_the_link_at_once_make_one_administrator(setup: Setup) {
        let mut server = setup.start();
        let token = server.setup_token();
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let server = &server;
            let made: Vec<_> = (0..50)
                .map(|n| {
                    let email = format!("root{n}@example.org");
                    let new = json!({ "token": token, "email": email, "password": PASSWORD });
                    scope.spawn(move || server.post("/api/v1/auth/setup", &new).status)
                })
                .collect();
            made.into_iter().map(|made| made.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|status| **status == 201).count(), 1, "{statuses:?}");
        assert!(statuses.iter().all(|status| [201, 404, 503].contains(status)), "{statuses:?}");
    }

    fn a_second_start_keeps_everything(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        server.register("ada@example.org").is(201);
        server.signal("-TERM");
        assert!(server.ended().success());
        let server = setup.start();
        assert_eq!(server.get_as(&root, "/api/v1/users").is(200).json()["items"].as_array().unwrap().len(), 2);
        server.log_in("ada@example.org");
        server.refresh(&root.refresh).is(200);
    }

    fn the_first_who_registers_is_nobody_special(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        server.get_as(&ada, "/api/v1/users").is_problem(403, "insufficient_scope");
    }

    fn the_command_line_makes_an_administrator(setup: Setup) {
        use std::io::Write;
        let server = setup.start();
        let arguments = ["admin", "create", "--email", "root@example.org", "--password-stdin"];
        let mut command = setup.command(&arguments).stdin(std::process::Stdio::piped()).spawn().unwrap();
        writeln!(command.stdin.take().unwrap(), "{PASSWORD}").unwrap();
        assert!(command.wait().unwrap().success());
        let root = server.log_in("root@example.org");
        server.get_as(&root, "/api/v1/users").is(200);
    }

    fn a_server_at_which_nobody_sits_makes_the_administrator_of_its_settings(setup: Setup) {
        fs::write(setup.folder().join("first"), format!("{PASSWORD}\n")).unwrap();
        let setup = setup
            .with("CGCG_AUTH__BOOTSTRAP__ADMIN_EMAIL", "root@example.org")
            .with("CGCG_AUTH__BOOTSTRAP__ADMIN_PASSWORD_FILE", "first");
        let server = setup.start();
        let login = |password: &str| json!({ "login": "root@example.org", "password": password });
        let refused = server.post("/api/v1/auth/login", &login(PASSWORD));
        let token = refused.is_problem(403, "password_change_required").json()["reset_token"].clone();
        let new = json!({ "token": token, "new_password": "staple of correct horses" });
        server.post("/api/v1/auth/password/reset", &new).is(204);
        let root = Person::of(&server.post("/api/v1/auth/login", &login("staple of correct horses")).is(200).json());
        server.get_as(&root, "/api/v1/users").is(200);
        let server = server.kill_and_start();
        server.post("/api/v1/auth/login", &login("staple of correct horses")).is(200);
        let shown = String::from_utf8(setup.run(&["config", "show"]).stdout).unwrap();
        assert!(shown.contains("bootstrap.admin_password = \"[secret]\"") && !shown.contains(PASSWORD), "{shown}");
        assert!(!setup.log().contains(PASSWORD));
    }

    fn o2_another_master_key_does_not_start_and_says_which_one_is_needed(setup: Setup) {
        drop(setup.start());
        let other = setup.clone().with("CGCG_KEYS__MASTER", "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=");
        let output = other.run(&["serve"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("bring the key of the node that made it"), "{said}");
    }
}

/// They share the database and make one key: the second writer of a key must not replace the first one's.
#[test]
#[cfg(feature = "sqlite")]
fn o2_two_programs_that_start_at_once_in_one_empty_folder_share_one_key() {
    for _ in 0..5 {
        let setup = sqlite();
        let [one, two] = std::thread::scope(|scope| {
            let starts = [0, 1].map(|_| scope.spawn(|| setup.start()));
            starts.map(|start| start.join().unwrap())
        });
        let ada = one.person("ada@example.org");
        two.get_as(&ada, "/api/v1/users/me").is(200);
        drop((one, two));
        let again = setup.start();
        again.get_as(&ada, "/api/v1/users/me").is(200);
        let files = fs::read_dir(again.data()).unwrap();
        let names: Vec<_> = files.map(|file| file.unwrap().file_name()).collect();
        let drafts = names
            .iter()
            .filter(|name| name.to_string_lossy().starts_with("master.key"));
        assert_eq!(drafts.count(), 1, "{names:?}");
    }
}

#[test]
#[cfg(feature = "sqlite")]
fn the_data_folder_is_for_its_owner_only() {
    let server = sqlite().start();
    let mode = |path: &str| {
        fs::metadata(server.data().join(path))
            .unwrap()
            .permissions()
            .mode()
            & 0o777
    };
    assert_eq!(mode(""), 0o700);
    assert_eq!(mode("master.key"), 0o600);
}

/// Whoever made the folder beforehand: the database holds the hashes of passwords.
#[test]
#[cfg(feature = "sqlite")]
fn a_database_in_a_folder_that_others_may_enter_is_still_for_its_owner_only() {
    let setup = sqlite();
    fs::create_dir(setup.folder().join("data")).unwrap();
    let server = setup.start();
    let mode = fs::metadata(server.data().join("cgcg.db"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
#[cfg(feature = "sqlite")]
fn o2_a_key_file_that_is_open_cut_replaced_or_gone_does_not_start() {
    let setup = sqlite();
    drop(setup.start());
    let key = setup.folder().join("data/master.key");
    let refused = |what: &str| {
        let output = setup.run(&["serve"]);
        assert_eq!(output.status.code(), Some(1));
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains(what), "{said}");
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
    refused("chmod 600");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let whole = fs::read(&key).unwrap();
    fs::write(&key, &whole[..20]).unwrap();
    refused("restore it from a backup");
    fs::write(&key, "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=\n").unwrap();
    refused("bring the key of the node that made it");
    fs::remove_file(&key).unwrap();
    refused("is missing");
    fs::write(&key, &whole).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    drop(setup.start());
}
