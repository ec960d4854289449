//! Settings: where they come from, and what is said when they are wrong.

use crate::support::sqlite;

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
#[cfg(all(
    feature = "auth",
    feature = "docs",
    feature = "metrics",
    feature = "sqlite",
    feature = "postgres"
))]
fn the_sample_settings_are_what_the_program_prints() {
    let printed = sqlite().run(&["config", "sample"]);
    assert_eq!(text(printed.stdout), include_str!("../deploy/cgcg.toml"));
}

#[test]
fn all_mistakes_are_told_at_once_each_with_its_source() {
    let setup = sqlite().with("CGCG_DATABASE__WAIT", "soon");
    let file = "[http]\nlisten = \"here\"\n[limits]\nbody = 1\n[lgo]\nlevel = \"info\"\n[log]\nlevle = \"info\"\n";
    std::fs::write(setup.folder().join("cgcg.toml"), file).unwrap();
    // The option would hide the wrong address.
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cgcg"));
    let output = command
        .args(["config", "check"])
        .current_dir(setup.folder())
        .env("CGCG_DATABASE__WAIT", "soon")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = text(output.stderr);
    for part in [
        "http.listen",
        "cgcg.toml",
        "limits.body",
        "CGCG_DATABASE__WAIT",
        "lgo",
        "levle",
    ] {
        assert!(said.contains(part), "{part} is missing in:\n{said}");
    }
}

#[test]
fn the_environment_wins_over_the_file_and_an_option_over_both() {
    let setup = sqlite()
        .with("CGCG_LOG__LEVEL", "warn")
        .with("CGCG_HTTP__LISTEN", "127.0.0.1:1");
    std::fs::write(
        setup.folder().join("cgcg.toml"),
        "log.level = \"debug\"\nlog.format = \"json\"\n",
    )
    .unwrap();
    let shown = text(setup.run(&["config", "show"]).stdout);
    assert!(
        shown.contains("level = \"warn\"  # CGCG_LOG__LEVEL"),
        "{shown}"
    );
    assert!(shown.contains("format = \"json\"  # cgcg.toml"), "{shown}");
    assert!(
        shown.contains("listen = \"127.0.0.1:0\"  # option"),
        "{shown}"
    );
    assert!(shown.contains("grace = \"30s\"  # default"), "{shown}");
}

#[test]
#[cfg(feature = "tasks")]
fn a_payload_that_no_body_can_carry_is_told() {
    let setup = sqlite()
        .with("CGCG_LIMITS__BODY", "128KiB")
        .with("CGCG_TASKS__RESULT_LIMIT", "64KiB");
    let output = setup.run(&["config", "check"]);
    assert!(output.status.success());
    let said = text(output.stdout);
    assert!(
        said.contains("warning: tasks.payload_limit = 256KiB is above limits.body = 128KiB"),
        "{said}"
    );
    assert!(!said.contains("result_limit"), "{said}");
}

#[test]
#[cfg(feature = "tasks")]
fn a_worker_that_waits_longer_than_the_program_is_told() {
    let setup = sqlite().with("CGCG_HTTP__GRACE", "10s");
    let said = text(setup.run(&["config", "check"]).stdout);
    let warning = "warning: tasks.shutdown_grace = 25s is above http.grace = 10s";
    assert!(said.contains(warning), "{said}");
    let said = text(sqlite().run(&["config", "check"]).stdout);
    assert!(!said.contains("shutdown_grace"), "{said}");
}

#[test]
fn a_variable_that_only_looks_like_a_setting_is_told() {
    let setup = sqlite().with("CGCG_HTTP_LISTEN", "127.0.0.1:1");
    let said = text(setup.run(&["config", "check"]).stdout);
    assert!(
        said.contains("warning: CGCG_HTTP_LISTEN has no effect"),
        "{said}"
    );
}

/// The option moved the key and not the database; and sqlx reads a path percent-decoded.
#[test]
#[cfg(feature = "sqlite")]
fn the_data_folder_holds_the_database_whatever_its_name() {
    let setup = sqlite();
    for name in ["else where", "a%41", "b?c"] {
        let run = |what: &[&str]| {
            let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cgcg"));
            let command = command.args(["--data", name]).args(what);
            command.current_dir(setup.folder()).output().unwrap()
        };
        let output = run(&["migrate"]);
        assert!(output.status.success(), "{}", text(output.stderr));
        assert!(
            setup.folder().join(name).join("cgcg.db").is_file(),
            "{name}"
        );
        let shown = text(run(&["config", "show"]).stdout);
        assert!(!shown.contains("sqlite:data/"), "{shown}");
    }
}

#[test]
fn secrets_are_never_shown() {
    let master = "00123zY3ODkwMTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM=";
    let setup = sqlite()
        .with("CGCG_KEYS__MASTER", master)
        .with("CGCG_DATABASE__URL", "postgres://ada:hunter2@localhost/app");
    let shown = text(setup.run(&["config", "show"]).stdout);
    assert!(
        shown.contains("master = \"[secret]\"  # CGCG_KEYS__MASTER"),
        "{shown}"
    );
    assert!(
        !shown.contains("hunter2") && !shown.contains(master),
        "{shown}"
    );
}

/// Nothing is made of a key that somebody else may know.
#[test]
fn o3_j16_a_short_empty_or_sample_master_key_does_not_start() {
    let unfit = [
        ("", "32 bytes"),
        ("c2hvcnQ=", "32 bytes"),
        ("changeme", "32 bytes"),
        // 31 and 33 bytes of chance.
        ("nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSQ==", "32 bytes"),
        ("nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX5/", "32 bytes"),
        // Zeros, 00 01 02 and so on, and letters.
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=", "sample"),
        ("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", "sample"),
        ("c3VwZXItc2VjcmV0LWtleS1jaGFuZ2UtbWUtcGxlYXM=", "sample"),
    ];
    for (key, mend) in unfit {
        for name in ["CGCG_KEYS__MASTER", "CGCG_KEYS__PREVIOUS"] {
            let output = sqlite().with(name, key).run(&["serve"]);
            assert_eq!(output.status.code(), Some(1), "{key}");
            let said = text(output.stderr);
            assert!(said.contains(mend) && said.contains(name), "{said}");
            assert!(said.contains("openssl rand -base64 32"), "{said}");
            assert!(key.is_empty() || !said.contains(key), "{said}");
        }
    }
}

/// The hash of a token is no secret; a token that somebody pasted in its place is one.
#[test]
fn s1_static_tokens_that_are_short_repeated_or_unhashed_do_not_start() {
    let block = |name: &str, sha256: &str| {
        format!(
            "[[access.static_tokens]]\nid = \"01945c5e-0000-7000-8000-0000000000{name}\"\nname = \"{name}\"\n\
             sha256 = \"{sha256}\"\nscopes = [\"*\"]\n"
        )
    };
    let hash = "9f3c61d20b84e7752ac6f01d58b3497e9f3c61d20b84e7752ac6f01d58b3497e";
    let unhashed = "cgs1_9f3c61d20b84e7752ac6f01d58b3497e9f3c61d20b84e7752ac6f01d58b3";
    let files = [
        block("01", &hash[..40]),
        block("01", unhashed),
        block("01", hash) + &block("02", hash),
    ];
    for file in files {
        let setup = sqlite();
        std::fs::write(setup.folder().join("cgcg.toml"), file).unwrap();
        let output = setup.run(&["serve"]);
        assert_eq!(output.status.code(), Some(1));
        let said = text(output.stderr);
        assert!(said.contains("access.static_tokens"), "{said}");
        assert!(!said.contains(unhashed), "{said}");
    }
}

#[test]
#[cfg(feature = "auth")]
fn s1_static_tokens_beside_auth_do_not_start() {
    let setup = sqlite();
    let token = "[[access.static_tokens]]\nid = \"01945c5e-0000-7000-8000-000000000001\"\nname = \"ci\"\n\
                 sha256 = \"9f3c61d20b84e7752ac6f01d58b3497e9f3c61d20b84e7752ac6f01d58b3497e\"\nscopes = [\"*\"]\n";
    std::fs::write(setup.folder().join("cgcg.toml"), token).unwrap();
    let output = setup.run(&["serve"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(output.stderr);
    assert!(
        said.contains("only for builds without the Cargo feature `auth`"),
        "{said}"
    );
}

#[test]
fn a_secret_may_stand_in_a_file_of_its_own() {
    let setup = sqlite().with("CGCG_DATABASE__URL_FILE", "url");
    std::fs::write(setup.folder().join("url"), "sqlite:elsewhere.db\n").unwrap();
    let shown = text(setup.run(&["config", "show"]).stdout);
    assert!(
        shown.contains("url = \"sqlite:elsewhere.db\"  # CGCG_DATABASE__URL_FILE"),
        "{shown}"
    );
}

#[test]
#[cfg(not(feature = "auth"))]
fn the_section_of_a_feature_that_is_not_compiled_in_is_a_warning() {
    let setup = sqlite();
    std::fs::write(setup.folder().join("cgcg.toml"), "[auth]\nx = 1\n").unwrap();
    let output = setup.run(&["config", "check"]);
    assert!(output.status.success());
    assert!(text(output.stdout).contains("warning: section [auth] has no effect"));
}
