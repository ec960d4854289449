//! The README's tour works, word for word.

use std::process::Command;

use crate::support::sqlite;

#[test]
fn the_tour_of_the_readme_works() {
    if Command::new("curl").arg("--version").output().is_err() {
        return cgcg_testkit::skip("no curl");
    }
    let readme = include_str!("../README.md");
    let tour = readme.split_once("## Tour").unwrap().1;
    let script = tour
        .split("```sh\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let server = sqlite().start();
    let script = script.replace("127.0.0.1:8000", server.address());
    let output = Command::new("bash")
        .args(["-euo", "pipefail", "-c", &script])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    for promise in tour
        .split("```text\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap()
        .lines()
    {
        assert!(
            printed.contains(promise),
            "the README promises {promise:?}, and the tour printed:\n{printed}"
        );
    }
}
