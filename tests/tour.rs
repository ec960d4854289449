//! The README's tours work, word for word.

use std::process::Command;

use crate::support::{Server, sqlite};

const README: &str = include_str!("../README.md");

/// The first block of that kind in the section.
fn block(section: &str, kind: &str) -> &'static str {
    let section = README.split_once(&format!("## {section}\n")).unwrap().1;
    let block = section.split_once(&format!("```{kind}\n")).unwrap().1;
    block.split_once("```").unwrap().0
}

/// Runs it at the root of the repository, and holds it to what the section promises.
fn walk(section: &str, script: &str, server: &Server) {
    let script = script.replace("127.0.0.1:8000", server.address());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for promise in block(section, "text").lines() {
        assert!(
            printed.contains(promise),
            "the README promises {promise:?}, and the tour printed:\n{printed}"
        );
    }
}

fn has(program: &str) -> bool {
    let found = Command::new(program).arg("--version").output().is_ok();
    if !found {
        cgcg_testkit::skip(&format!("no {program}"));
    }
    found
}

#[test]
fn the_tour_of_the_readme_works() {
    if has("curl") {
        walk("Tour", block("Tour", "sh"), &sqlite().start());
    }
}

#[test]
#[cfg(feature = "tasks")]
fn the_quick_start_of_tasks_works() {
    use crate::support::People;

    if !has("curl") || !has("python3") {
        return;
    }
    let mut server = sqlite().start();
    server.administrator();
    // What the tour before has left in the terminal; and no worker stays behind where a step fails.
    let before = block("Tour", "sh").split_once("\n\n").unwrap().0;
    let script = format!(
        "trap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n{before}\n{}",
        block("Tasks", "sh").replace("you@example.org", "root@example.org")
    );
    walk("Tasks", &script, &server);
}
