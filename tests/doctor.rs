//! `cgcg doctor` finds what is wrong, says the mend, and touches nothing.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::on_both;
use crate::support::{People, Setup, sqlite};

/// What it finds, and whether it is content.
fn doctor(setup: &Setup) -> (Vec<Value>, bool) {
    let output = setup.run(&["doctor", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|_| panic!("{}", String::from_utf8_lossy(&output.stderr)));
    let findings = report["findings"].as_array().unwrap().clone();
    let failed = findings.iter().any(|finding| finding["state"] == "fail");
    assert_eq!(output.status.success(), !failed, "{report}");
    assert_eq!(report["state"] == "fail", failed, "{report}");
    (findings, !failed)
}

/// The state of the first finding of that kind, and all that it says.
#[track_caller]
fn of(findings: &[Value], check: &str) -> (String, String) {
    let found = findings.iter().find(|finding| finding["check"] == check);
    let found = found.unwrap_or_else(|| panic!("nothing of {check}: {findings:#?}"));
    let text = |name: &str| found[name].as_str().unwrap_or_default().to_owned();
    (
        text("state"),
        format!("{}; {}", text("found"), text("mend")),
    )
}

on_both! {
    fn a_server_that_is_set_up_is_found_well(setup: Setup) {
        let mut server = setup.start();
        let (findings, content) = doctor(&setup);
        assert!(content, "{findings:#?}");
        assert_eq!(of(&findings, "administrator").0, "warn");
        server.administrator();
        let (findings, content) = doctor(&setup);
        assert!(content, "{findings:#?}");
        for check in ["settings", "address", "proxies", "data folder", "clock", "schema", "master key", "administrator", "signing key", "passwords"] {
            assert_eq!(of(&findings, check).0, "ok", "{check}: {findings:#?}");
        }
        assert_eq!(of(&findings, "mail").0, "warn");
        // The PostgreSQL of a test is told not to wait for its disk.
        let (state, said) = of(&findings, "database");
        assert!(state == "ok" || said.contains("fsync"), "{said}");
        let printed = setup.run(&["doctor"]).stdout;
        let printed = String::from_utf8(printed).unwrap();
        assert!(printed.contains("\nok    schema        up to date\n"), "{printed}");
    }

    fn a_schema_that_is_behind_is_told_and_stays(setup: Setup) {
        // The tables of core and users, as a smaller build would have left them, are not needed: an empty database is behind.
        fs::create_dir(setup.folder().join("data")).unwrap();
        fs::write(setup.folder().join("data/cgcg.db"), "").unwrap();
        let (findings, content) = doctor(&setup);
        assert!(content, "{findings:#?}");
        let (state, said) = of(&findings, "schema");
        assert!(state == "warn" && said.contains("the next start"), "{said}");
        let by_hand = setup.clone().with("CGCG_DATABASE__MIGRATE", "false");
        let (findings, content) = doctor(&by_hand);
        let (state, said) = of(&findings, "schema");
        assert!(!content && state == "fail" && said.contains("cgcg migrate"), "{said}");
        assert!(setup.run(&["migrate"]).status.success());
        assert_eq!(of(&doctor(&by_hand).0, "schema").0, "ok");
    }

    fn another_master_key_is_found_before_the_start(setup: Setup) {
        drop(setup.start());
        let other = setup.clone().with("CGCG_KEYS__MASTER", "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=");
        let (findings, content) = doctor(&other);
        let (state, said) = of(&findings, "master key");
        assert!(!content && state == "fail" && said.contains("bring the key of the node that made it"), "{said}");
    }
}

#[test]
#[cfg(feature = "sqlite")]
fn before_the_first_start_nothing_is_wrong_and_nothing_is_made() {
    let setup = sqlite();
    let (findings, content) = doctor(&setup);
    assert!(content, "{findings:#?}");
    for check in ["data folder", "database", "master key"] {
        let (state, said) = of(&findings, check);
        assert!(
            state == "warn" && said.contains("the first start"),
            "{said}"
        );
    }
    assert_eq!(fs::read_dir(setup.folder()).unwrap().count(), 0);
}

#[test]
#[cfg(feature = "sqlite")]
fn rights_that_are_too_wide_are_found_with_their_mend() {
    let setup = sqlite();
    drop(setup.start());
    let data = setup.folder().join("data");
    let chmod = |name: &str, mode: u32| {
        fs::set_permissions(data.join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    chmod("", 0o755);
    let (state, said) = of(&doctor(&setup).0, "data folder");
    assert!(state == "warn" && said.contains("chmod 700"), "{said}");
    chmod("", 0o700);
    chmod("cgcg.db", 0o644);
    let (findings, _) = doctor(&setup);
    let told = |finding: &Value| finding.to_string().contains("chmod 600 data/cgcg.db");
    assert!(findings.iter().any(told), "{findings:#?}");
    chmod("master.key", 0o644);
    let (state, said) = of(&doctor(&setup).0, "master key");
    assert!(state == "fail" && said.contains("chmod 600"), "{said}");
    fs::remove_file(data.join("master.key")).unwrap();
    let (state, said) = of(&doctor(&setup).0, "master key");
    assert!(state == "fail" && said.contains("is missing"), "{said}");
    assert!(!data.join("master.key").exists());
}

#[test]
fn all_that_is_wrong_with_the_settings_is_found_and_no_secret_is_repeated() {
    let setup = sqlite();
    let file = setup.folder().join("cgcg.toml");
    fs::write(&file, "[http]\nlisten = 1\nhost = 2\n[nonsense]\n").unwrap();
    let (findings, content) = doctor(&setup);
    assert!(!content && findings.len() >= 2, "{findings:#?}");
    assert!(
        findings
            .iter()
            .all(|finding| finding["check"] == "settings")
    );

    let secret = "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=";
    fs::write(&file, format!("[keys]\nmaster = \"{secret}\"\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
    let (findings, _) = doctor(&setup);
    let (state, said) = of(&findings, "settings");
    assert!(
        state == "warn" && said.contains("keys.master") && said.contains("chmod 600"),
        "{said}"
    );
    assert!(!format!("{findings:?}").contains(secret));
}

#[test]
#[cfg(feature = "postgres")]
fn a_database_that_does_not_answer_is_found_without_its_password() {
    let setup = sqlite()
        .with(
            "CGCG_DATABASE__URL",
            "postgres://ada:hunter22@127.0.0.1:1/x",
        )
        .with("CGCG_DATABASE__WAIT", "500ms");
    let (findings, content) = doctor(&setup);
    assert!(!content);
    assert_eq!(of(&findings, "database").0, "fail");
    assert!(!format!("{findings:?}").contains("hunter22"));
}

#[test]
#[cfg(all(feature = "mail", feature = "sqlite"))]
fn a_mail_server_that_does_not_answer_is_found() {
    let setup = sqlite();
    drop(setup.start());
    let setup = setup
        .with("CGCG_HTTP__PUBLIC_URL", "http://localhost:8000")
        .with("CGCG_AUTH__MAIL__TRANSPORT", "smtp")
        .with("CGCG_AUTH__MAIL__FROM", "no-reply@example.org")
        .with("CGCG_AUTH__MAIL__SMTP__HOST", "127.0.0.1")
        .with("CGCG_AUTH__MAIL__SMTP__PORT", "1")
        .with("CGCG_AUTH__MAIL__SMTP__TLS", "none");
    let (findings, content) = doctor(&setup);
    let (state, said) = of(&findings, "mail");
    assert!(
        !content && state == "fail" && said.contains("auth.mail.smtp"),
        "{said}"
    );
}

#[test]
#[cfg(feature = "sqlite")]
fn what_faces_the_network_is_looked_at() {
    let setup = sqlite().with("CGCG_HTTP__PUBLIC_URL", "https://api.example.org");
    let (state, said) = of(&doctor(&setup).0, "proxies");
    assert!(
        state == "warn" && said.contains("http.trusted_proxies"),
        "{said}"
    );
    let setup = sqlite().with("CGCG_HTTP__PUBLIC_URL", "http://api.example.org");
    let (state, said) = of(&doctor(&setup).0, "address");
    assert!(state == "warn" && said.contains("https://"), "{said}");
}
