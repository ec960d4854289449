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
