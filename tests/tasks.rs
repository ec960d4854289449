//! Background work, over HTTP.

mod cli;
#[cfg(feature = "postgres")]
mod nodes;
mod python;

use std::io::{Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{People, Person, Server, Setup};

fn create(server: &Server, person: &Person, new: &Value) -> Value {
    server
        .send_as(person, "POST", "/api/v1/tasks", new)
        .is(201)
        .json()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

on_both! {
    fn a_task_is_made_leased_watched_and_read(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let made = create(&server, &root, &json!({ "name": "render", "payload": { "frame": 1 } }));
        let path = format!("/api/v1/tasks/{}", text(&made["id"]));
        let wanted = json!({ "worker": "w1", "queues": ["default"], "wait_s": 5 });
        let leased = server.send_as(&root, "POST", "/api/v1/leases", &wanted).is(200).json();
        let lease = &leased["items"][0];
        assert_eq!((&lease["id"], &lease["payload"]), (&made["id"], &json!({ "frame": 1 })));
        let stream = std::thread::scope(|scope| {
            let stream = scope.spawn(|| server.get_as(&root, &format!("{path}/events")).is(200));
            let item = |more: Value| {
                let mut item = json!({ "id": lease["id"], "lease": lease["lease"] });
                item.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
                json!({ "worker": "w1", "items": [item] })
            };
            let beat = item(json!({ "progress": { "pct": 50, "msg": "half" } }));
            server.send_as(&root, "POST", "/api/v1/leases/heartbeat", &beat).is(200);
            let done = item(json!({ "result": { "size": 7 } }));
            let done = server.send_as(&root, "POST", "/api/v1/leases/complete", &done).is(200).json();
            assert_eq!(done["items"][0]["ok"], true);
            stream.join().unwrap()
        });
        assert_eq!(stream.header("content-type"), Some("text/event-stream"));
        assert!(stream.text.contains("event: end\ndata: {"), "{}", stream.text);
        let task = server.get_as(&root, &format!("{path}?wait_s=30")).is(200).json();
        assert_eq!((&task["state"], &task["result"]), (&json!("succeeded"), &json!({ "size": 7 })));
    }

    fn people_reach_their_own_tasks_and_make_none_without_the_right(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let ada = server.person("ada@example.org");
        let new = json!({ "name": "n", "payload": 1 });
        let refused = server.send_as(&ada, "POST", "/api/v1/tasks", &new);
        assert_eq!(refused.is_problem(403, "insufficient_scope").json()["scope"], "tasks:create");
        let path = format!("/api/v1/tasks/{}", text(&create(&server, &root, &new)["id"]));
        server.get_as(&ada, &path).is_problem(404, "task_not_found");
        assert_eq!(server.get_as(&ada, "/api/v1/tasks").is(200).json()["items"], json!([]));
    }

    fn the_servers_own_work_is_a_schedule_that_nobody_changes(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let schedules = server.get_as(&root, "/api/v1/schedules").is(200).json();
        let names: Vec<_> = schedules["items"].as_array().unwrap().iter().map(|one| text(&one["name"])).collect();
        assert_eq!(names, ["auth.mail", "auth.purge"]);
        let own = "/api/v1/schedules/auth.purge";
        server.send_as(&root, "DELETE", own, &Value::Null).is_problem(403, "name_reserved");
        let new = json!({ "name": "auth.purge", "payload": null });
        server.send_as(&root, "POST", "/api/v1/tasks", &new).is_problem(403, "name_reserved");
        let wanted = json!({ "worker": "w1", "queues": ["_server"] });
        server.send_as(&root, "POST", "/api/v1/leases", &wanted).is_problem(403, "name_reserved");
    }

    fn who_hung_up_gets_no_work(setup: Setup) {
        let mut server = setup.with("CGCG_HTTP__THREADS", "1").start();
        let root = server.administrator();
        let wanted = json!({ "worker": "gone", "queues": ["default"], "wait_s": 30, "ttl_s": 600 });
        let waits = open(&server, &root, "POST", "/api/v1/leases", &wanted);
        // One thread takes connections in their order: what happened before an answer was seen.
        server.get_as(&root, "/api/v1/queues").is(200);
        drop(waits);
        server.get_as(&root, "/api/v1/queues").is(200);
        create(&server, &root, &json!({ "name": "n", "max_attempts": 1 }));
        let wanted = json!({ "worker": "there", "queues": ["default"], "wait_s": 20 });
        let leased = server.send_as(&root, "POST", "/api/v1/leases", &wanted).is(200).json();
        assert_eq!(leased["items"].as_array().unwrap().len(), 1);
    }

    fn a_task_survives_kill_9(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let made = create(&server, &root, &json!({ "name": "n", "payload": 1 }));
        let server = server.kill_and_start();
        let task = server.get_as(&root, &format!("/api/v1/tasks/{}", text(&made["id"]))).is(200).json();
        assert_eq!(task["state"], "ready");
    }

    fn a_stop_ends_calls_that_wait(setup: Setup) {
        // One thread takes connections in their order: what was sent before an answer is under way.
        let mut server = setup.with("CGCG_HTTP__THREADS", "1").start();
        let root = server.administrator();
        let made = create(&server, &root, &json!({ "name": "n", "payload": 1 }));
        let path = format!("/api/v1/tasks/{}", text(&made["id"]));
        let waits = open(&server, &root, "GET", &format!("{path}?wait_s=30"), &Value::Null);
        let watches = open(&server, &root, "GET", &format!("{path}/events"), &Value::Null);
        server.get_as(&root, &path).is(200);
        server.signal("-TERM");
        let [waited, watched] = [waits, watches].map(|mut stream| {
            let mut answer = String::new();
            stream.read_to_string(&mut answer).unwrap();
            answer
        });
        assert!(waited.contains("\"state\":\"ready\""), "{waited}");
        assert!(watched.contains("event: status") && !watched.contains("event: end"), "{watched}");
        assert!(server.ended().success());
    }
}

/// A request whose answer is not yet read.
fn open(server: &Server, person: &Person, method: &str, path: &str, body: &Value) -> TcpStream {
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let (body, access) = (body.to_string(), &person.access);
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: cgcg\r\nconnection: close\r\nauthorization: Bearer {access}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(head.as_bytes()).unwrap();
    stream
}
