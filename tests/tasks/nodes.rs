//! Two servers and workers over HTTP on one queue of PostgreSQL.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

use super::text;
use crate::support::{Answer, People, Person, Server, postgres};

const MASTER: &str = "nzxh0guE53UqxvAdWLNJfp88YdILhOd1KsbwHVizSX4=";
/// Tasks that each creator makes.
const TASKS: usize = 60;
const CREATORS: usize = 2;

/// Whoever finds the first server gone asks the second.
struct Nodes<'a> {
    servers: &'a [Server; 2],
    root: &'a Person,
}

impl Nodes<'_> {
    fn post(&self, path: &str, key: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let request = format!(
            "POST /api/v1{path} HTTP/1.1\r\nhost: cgcg\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\nidempotency-key: {key}\r\ncontent-length: {}\r\n\r\n{body}",
            self.root.access,
            body.len()
        );
        let answers = self
            .servers
            .iter()
            .map(|server| server.try_exchange(request.as_bytes()));
        let mut answers = answers.flatten();
        answers.next().expect("one of two servers answers")
    }
}

/// What the workers saw.
#[derive(Default)]
struct Ledger {
    /// How often each task was begun.
    begun: Mutex<HashMap<String, usize>>,
    ended: AtomicUsize,
}

#[test]
fn stopping_one_of_two_servers_under_load_loses_and_repeats_nothing() {
    let Some(one) = postgres() else { return };
    let one = one.with("CGCG_KEYS__MASTER", MASTER);
    let two = one.elsewhere();
    let mut first = one.start();
    let root = first.administrator();
    let servers = [first, two.start()];
    let (nodes, ledger) = (
        Nodes {
            servers: &servers,
            root: &root,
        },
        Ledger::default(),
    );
    let made: Vec<String> = std::thread::scope(|scope| {
        let (nodes, ledger) = (&nodes, &ledger);
        for worker in 0..3 {
            scope.spawn(move || work(nodes, ledger, worker));
        }
        let creators: Vec<_> = (0..CREATORS)
            .map(|number| scope.spawn(move || make(nodes, ledger, number)))
            .collect();
        creators
            .into_iter()
            .flat_map(|creator| creator.join().unwrap())
            .collect()
    });
    let begun = ledger.begun.into_inner().unwrap();
    assert_eq!(made.len(), CREATORS * TASKS);
    for id in &made {
        assert_eq!(begun.get(id), Some(&1), "{id} was begun once");
        let task = servers[1]
            .get_as(&root, &format!("/api/v1/tasks/{id}"))
            .is(200)
            .json();
        assert_eq!(
            (&task["state"], &task["attempt"]),
            (&json!("succeeded"), &json!(1))
        );
    }
    assert_eq!(begun.len(), made.len());
    let [first, second] = servers;
    assert!(first.ended().success(), "it ended in order");
    drop(second);
}

impl Ledger {
    fn ended(&self) -> usize {
        self.ended.load(Ordering::SeqCst)
    }
}

/// A creator that fails ends the workers too.
struct Watched<'a>(&'a Ledger);

impl Drop for Watched<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.ended.store(CREATORS * TASKS, Ordering::SeqCst);
        }
    }
}

fn make(nodes: &Nodes<'_>, ledger: &Ledger, creator: usize) -> Vec<String> {
    let _watched = Watched(ledger);
    let task = |number| {
        let new = json!({ "name": "count", "payload": number });
        let key = format!("{creator}-{number}");
        let made = nodes.post("/tasks", &key, &new).is(201).json();
        text(&made["id"]).to_owned()
    };
    (0..TASKS).map(task).collect()
}

fn work(nodes: &Nodes<'_>, ledger: &Ledger, number: usize) {
    let worker = format!("w{number}");
    let wanted = json!({ "worker": worker, "queues": ["default"], "max": 3, "wait_s": 1 });
    while ledger.ended() < CREATORS * TASKS {
        let leased = nodes.post("/leases", "none", &wanted).is(200).json();
        let leases = leased["items"].as_array().unwrap();
        for lease in leases {
            let mut begun = ledger.begun.lock().unwrap();
            *begun.entry(text(&lease["id"]).to_owned()).or_default() += 1;
        }
        let item =
            |lease: &Value| json!({ "id": lease["id"], "lease": lease["lease"], "result": 1 });
        let items: Vec<_> = leases.iter().map(item).collect();
        let done = json!({ "worker": worker, "items": items });
        let done = nodes.post("/leases/complete", "none", &done).is(200).json();
        let held = done["items"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|item| item["ok"] == true);
        let held = held.count();
        let before = ledger.ended.fetch_add(held, Ordering::SeqCst);
        // In the middle of the work.
        if before < TASKS && before + held >= TASKS {
            nodes.servers[0].signal("-TERM");
        }
    }
}
