//! What was acknowledged is there after `kill -9`.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::ScopedJoinHandle;

use serde_json::json;

use crate::on_both;
use crate::support::{PASSWORD, People, Person, Server, Setup};

const WRITERS: usize = 8;

/// What one writer was promised.
#[derive(Default)]
struct Promised {
    emails: Vec<String>,
    display_name: Option<String>,
}

/// Registers and renames until the server is gone.
fn write(server: &Server, writer: usize, person: &Person, done: &AtomicUsize) -> Promised {
    let mut promised = Promised::default();
    for n in 0.. {
        // A registration hashes a password, which takes as long as many renames.
        let (method, path, body) = if n % 8 == 0 {
            let email = format!("writer{writer}-{n}@example.org");
            (
                "POST",
                "/api/v1/auth/register",
                json!({ "email": email, "password": PASSWORD }),
            )
        } else {
            (
                "PATCH",
                "/api/v1/users/me",
                json!({ "display_name": format!("name {n}") }),
            )
        };
        let body = body.to_string();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: cgcg\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            person.access,
            body.len()
        );
        let Some(answer) = server.try_exchange(request.as_bytes()) else {
            break;
        };
        match answer.status {
            200 => {
                promised.display_name = answer.json()["display_name"].as_str().map(str::to_owned)
            }
            201 => promised
                .emails
                .extend(answer.json()["email"].as_str().map(str::to_owned)),
            503 => continue,
            status => panic!("{status}: {}", answer.text),
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    promised
}

on_both! {
    fn what_was_acknowledged_survives_kill_9_in_the_middle(setup: Setup) {
        let server = setup.start();
        let people: Vec<Person> = (0..WRITERS).map(|n| server.person(&format!("writer{n}@example.org"))).collect();
        let done = AtomicUsize::new(0);
        let promised: Vec<Promised> = std::thread::scope(|scope| {
            let (server, done) = (&server, &done);
            let writers = people.iter().enumerate();
            let writers: Vec<_> = writers.map(|(n, person)| scope.spawn(move || write(server, n, person, done))).collect();
            let all_gone = |writers: &[ScopedJoinHandle<'_, Promised>]| writers.iter().all(ScopedJoinHandle::is_finished);
            while done.load(Ordering::Relaxed) < 1_000 && !all_gone(&writers) {
                std::thread::yield_now();
            }
            server.signal("-KILL");
            writers.into_iter().map(|writer| writer.join().unwrap()).collect()
        });
        let server = server.kill_and_start();
        for (n, (person, promised)) in people.iter().zip(promised).enumerate() {
            let me = server.get_as(person, "/api/v1/users/me").is(200).json();
            // One more may have been written whose answer was lost; never one less.
            let number = |name: &str| name.rsplit(' ').next().unwrap().parse::<usize>().unwrap();
            let kept = me["display_name"].as_str().map_or(0, number);
            assert!(kept >= promised.display_name.as_deref().map_or(0, number), "writer {n} lost a rename");
            for email in promised.emails {
                server.log_in(&email);
            }
        }
    }
}
