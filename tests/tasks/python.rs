//! A worker in another language: `crates/tasks/examples/worker.py`.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use serde_json::json;

use super::{create, text};
use crate::support::{People, Person, Server, sqlite};

const SCRIPT: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../../crates/tasks/examples/worker.py"
);

/// The script, once it works; `None` without Python, which is said.
fn worker(server: &Server, person: &Person) -> Option<Child> {
    let started = Command::new("python3")
        .arg(SCRIPT)
        .env("CGCG_URL", format!("http://{}", server.address()))
        .env("CGCG_TOKEN", &person.access)
        .stdout(Stdio::piped())
        .spawn();
    let Ok(mut script) = started else {
        cgcg_testkit::skip("no python3");
        return None;
    };
    let mut line = String::new();
    let output = script.stdout.take().unwrap();
    let mut output = BufReader::new(output);
    output.read_line(&mut line).unwrap();
    assert!(line.contains("works on default"), "{line}");
    script.stdout = Some(output.into_inner());
    Some(script)
}

#[test]
fn a_worker_in_python_does_the_work_and_ends_in_order() {
    let mut server = sqlite().start();
    let root = server.administrator();
    let Some(mut script) = worker(&server, &root) else {
        return;
    };
    let wait = |payload| {
        let made = create(
            &server,
            &root,
            &json!({ "name": "text.upper", "payload": payload }),
        );
        let path = format!("/api/v1/tasks/{}?wait_s=30", text(&made["id"]));
        server.get_as(&root, &path).is(200).json()
    };
    let done = wait(json!({ "text": "ab" }));
    assert_eq!(
        (&done["state"], &done["result"]),
        (&json!("succeeded"), &json!({ "text": "AB" }))
    );
    let dead = wait(json!({ "text": 7 }));
    assert_eq!(
        (&dead["state"], &dead["attempt"]),
        (&json!("failed"), &json!(1))
    );
    assert!(text(&dead["errors"][0]["error"]).contains("expected"));
    let id = script.id().to_string();
    assert!(
        Command::new("kill")
            .args(["-TERM", &id])
            .status()
            .unwrap()
            .success()
    );
    assert!(script.wait().unwrap().success());
}
