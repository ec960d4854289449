//! `cgcg tasks`, with no server running and beside one.

use serde_json::{Value, json};

use super::text;
use crate::on_both;
use crate::support::Setup;

/// What it prints; it has to succeed.
fn cgcg(setup: &Setup, arguments: &[&str]) -> String {
    let output = setup.run(&[&["tasks"], arguments].concat());
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{arguments:?}: {printed}{}",
        String::from_utf8_lossy(&output.stderr)
    );
    printed
}

/// What it says where it fails.
fn refused(setup: &Setup, arguments: &[&str]) -> String {
    refused_with(setup, 1, arguments)
}

fn refused_with(setup: &Setup, status: i32, arguments: &[&str]) -> String {
    let output = setup.run(&[&["tasks"], arguments].concat());
    assert_eq!(output.status.code(), Some(status), "{arguments:?}");
    String::from_utf8(output.stderr).unwrap()
}

fn read(printed: &str) -> Value {
    serde_json::from_str(printed).unwrap_or_else(|_| panic!("no JSON: {printed}"))
}

on_both! {
    fn an_operator_makes_looks_at_and_ends_tasks(setup: Setup) {
        let made = read(&cgcg(&setup, &["create", "render", r#"{"frame":1}"#, "--json"]));
        let id = text(&made["id"]);
        let shown = read(&cgcg(&setup, &["show", id, "--payload", "--json"]));
        assert_eq!((&shown["state"], &shown["payload"]), (&json!("ready"), &json!({ "frame": 1 })));
        let listed = cgcg(&setup, &["list", "--queue", "default"]);
        let lines: Vec<_> = listed.lines().collect();
        assert!(lines[0].starts_with("id ") && lines[1].starts_with(id), "{listed}");
        let queues = read(&cgcg(&setup, &["queues", "--json"]));
        assert_eq!((&queues[0]["name"], &queues[0]["ready"]), (&json!("default"), &json!(1)));
        assert!(refused_with(&setup, 3, &["wait", id, "--timeout", "10ms"]).contains("has not ended"));
        let unended = ["wait", "--queue", "default", "--empty", "--timeout", "10ms"];
        assert!(refused_with(&setup, 3, &unended).contains("1 ready"));
        assert!(cgcg(&setup, &["cancel", id]).contains("cancelled"));
        assert!(refused(&setup, &["wait", id]).contains("cancelled"));
        assert!(cgcg(&setup, &["retry", id]).contains("ready again"));
        assert!(refused(&setup, &["delete", id]).contains("has not ended"));
        cgcg(&setup, &["cancel", id]);
        assert!(cgcg(&setup, &["delete", id]).contains("deleted"));
        assert!(refused(&setup, &["show", id]).contains("no such task"));
        assert_eq!(cgcg(&setup, &["wait", "--queue", "default", "--empty"]), "");
    }

    fn an_operator_measures_and_nothing_of_it_stays(setup: Setup) {
        cgcg(&setup, &["create", "render", "1"]);
        let figures = read(&cgcg(&setup, &["bench", "--tasks", "300", "--clients", "8", "--json"]));
        for rate in ["created_per_s", "done_per_s"] {
            assert!(figures[rate].as_f64().unwrap() > 1.0, "{figures}");
        }
        assert!(figures["create_to_start"]["p50_ms"].as_f64().unwrap() > 0.0, "{figures}");
        let listed = read(&cgcg(&setup, &["list", "--json"]));
        assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
        let files = std::fs::read_dir(setup.folder().join("data")).unwrap();
        let names = files.map(|file| file.unwrap().file_name().into_string().unwrap());
        assert_eq!(names.filter(|name| name.contains("bench")).collect::<Vec<_>>(), [""; 0]);
    }

    fn a_key_that_is_taken_still_prints_an_id_alone(setup: Setup) {
        let create = ["create", "render", "1", "--unique-key", "k"];
        let first = cgcg(&setup, &create);
        assert_eq!(cgcg(&setup, &create), first);
    }

    fn acting_on_many_wants_a_yes(setup: Setup) {
        for _ in 0..3 {
            cgcg(&setup, &["create", "n", "1", "--queue", "bulk"]);
        }
        assert!(refused(&setup, &["cancel"]).contains("say which"));
        let asked = setup.run(&["tasks", "cancel", "--queue", "bulk"]);
        assert_eq!(String::from_utf8(asked.stdout).unwrap(), "3 tasks fit\n");
        assert!(String::from_utf8(asked.stderr).unwrap().contains("--yes"));
        let dry = read(&cgcg(&setup, &["cancel", "--queue", "bulk", "--dry-run", "--json"]));
        assert_eq!(dry.as_array().unwrap().len(), 3);
        // It was done all the same, and a filter beside an id was not looked at.
        let id = dry[0]["id"].as_str().unwrap();
        for verb in ["cancel", "retry", "delete"] {
            for beside in [&["--dry-run"][..], &["--queue", "other"]] {
                let said = setup.run(&[&["tasks", verb, id], beside].concat());
                assert_eq!(said.status.code(), Some(2), "{verb} {beside:?}");
            }
        }
        let done = read(&cgcg(&setup, &["cancel", "--queue", "bulk", "--limit", "2", "--yes", "--json"]));
        assert_eq!(done.as_array().unwrap().len(), 2);
        let left = read(&cgcg(&setup, &["list", "--state", "ready", "--json"]));
        assert_eq!(left.as_array().unwrap().iter().filter(|task| task["queue"] == "bulk").count(), 1);
        assert!(cgcg(&setup, &["retry", "--queue", "bulk", "--yes"]).starts_with("0 tasks fit"), "none failed");
        assert!(cgcg(&setup, &["retry", "--state", "cancelled", "--since", "1d", "--yes"]).contains("ready again"));
    }

    fn queues_are_limited_and_paused_and_schedules_run(setup: Setup) {
        assert!(setup.run(&["migrate"]).status.success());
        let limited = cgcg(&setup, &["limit", "gpu", "--max-running", "2", "--rate", "100/1m"]);
        assert_eq!(limited, "gpu: max-running 2, rate 100/1m\n");
        cgcg(&setup, &["pause", "gpu"]);
        let queues = read(&cgcg(&setup, &["queues", "--json"]));
        let gpu = queues.as_array().unwrap().iter().find(|queue| queue["name"] == "gpu").unwrap();
        assert_eq!((&gpu["paused"], &gpu["max_running"]), (&json!(true), &json!(2)));
        assert_eq!(gpu["rate"], json!({ "n": 100, "per_ms": 60_000 }));
        cgcg(&setup, &["resume", "gpu"]);
        assert!(cgcg(&setup, &["queues"]).contains("max-running 2, rate 100/1m"));
        let schedules = cgcg(&setup, &["schedules"]);
        assert!(schedules.contains("auth.purge") && schedules.contains("@hourly"), "{schedules}");
        let paused = setup.run(&["tasks", "schedule", "pause", "auth.purge"]);
        assert!(String::from_utf8(paused.stderr).unwrap().contains("belongs to the program"));
        let resumed = setup.run(&["tasks", "schedule", "resume", "auth.purge"]);
        assert!(resumed.status.success() && resumed.stderr.is_empty(), "{resumed:?}");
        let made = cgcg(&setup, &["schedule", "run", "auth.purge"]);
        let _server = setup.start();
        cgcg(&setup, &["wait", made.trim(), "--timeout", "30s"]);
        assert!(cgcg(&setup, &["workers"]).contains("_server=4"));
        let queues = read(&cgcg(&setup, &["queues", "--json"]));
        let own = queues.as_array().unwrap().iter().find(|queue| queue["name"] == "_server").unwrap();
        assert_eq!(own["workers"], 1);
        cgcg(&setup, &["wait", "--queue", "_server", "--empty", "--timeout", "30s"]);
        assert!(cgcg(&setup, &["leases"]).starts_with("id "));
        assert!(refused(&setup, &["schedule", "pause", "nothing"]).contains("no schedule"));
    }
}

/// It made a schema and a key in the folder where it was typed, and the server's own folder had no such key.
#[test]
#[cfg(feature = "postgres")]
fn whoever_looks_at_an_empty_postgres_makes_no_schema_and_no_key() {
    let Some(setup) = crate::support::postgres() else {
        return;
    };
    assert!(refused(&setup, &["list"]).contains("no server has used this database"));
    assert!(!setup.folder().join("data").exists());
    let server = setup.elsewhere().start();
    assert_eq!(server.get("/health/ready").status, 200);
}

#[test]
#[cfg(feature = "sqlite")]
fn whoever_looks_in_an_empty_folder_makes_no_database() {
    let setup = crate::support::sqlite();
    for look in [&["list"][..], &["queues", "--json"], &["pause", "gpu"]] {
        assert!(refused(&setup, look).contains("there is no database at"));
    }
    assert!(!setup.folder().join("data").exists());
}
