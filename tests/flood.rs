//! More logins than the machine can hash.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;

use crate::support::{Answer, PASSWORD, People, Server, sqlite};

const FLOOD: usize = 2_000;

/// Connections that have sent a login and read nothing yet.
fn logins(server: &Server, password: &str) -> Vec<TcpStream> {
    let body = json!({ "login": "ada@example.org", "password": password }).to_string();
    let request = format!(
        "POST /api/v1/auth/login HTTP/1.1\r\nhost: cgcg\r\nconnection: close\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{body}",
        body.len()
    );
    let send = |_| {
        let mut stream = TcpStream::connect(server.address()).unwrap();
        let patience = Some(Duration::from_secs(60));
        stream.set_read_timeout(patience).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        stream
    };
    (0..FLOOD).map(send).collect()
}

fn answer(mut stream: TcpStream) -> Answer {
    let mut text = Vec::new();
    stream.read_to_end(&mut text).unwrap();
    Answer::parse(&String::from_utf8_lossy(&text)).unwrap()
}

/// Two threads hash, in the memory that the settings give to all hashes; whoever finds no place is told so.
#[test]
#[cfg(feature = "sqlite")]
fn b5_two_thousand_logins_are_refused_in_time_and_memory_and_nobody_else_notices() {
    let pool = 64 << 20;
    let server = sqlite()
        .with("CGCG_AUTH__PASSWORDS__POOL__THREADS", "2")
        .with("CGCG_AUTH__PASSWORDS__POOL__MEMORY", "64MiB")
        .with("CGCG_AUTH__THROTTLE__ACCOUNTS", "false")
        .start();
    server.register("ada@example.org").is(201);
    let before = server.peak_memory();
    let (over, lived) = (AtomicBool::new(false), AtomicUsize::new(0));
    let answers: Vec<Answer> = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                server.get("/health/live").is(200);
                lived.fetch_add(1, Ordering::Relaxed);
            }
        });
        let answers = logins(&server, "a wrong password").into_iter().map(answer);
        let answers = answers.collect();
        over.store(true, Ordering::Relaxed);
        answers
    });
    assert!(
        lived.into_inner() > 1,
        "the server was busy with nothing else"
    );
    let known = |answer: &Answer| [401, 503].contains(&answer.status);
    assert!(answers.iter().all(known));
    let refused: Vec<_> = answers
        .iter()
        .filter(|answer| answer.status == 503)
        .collect();
    assert!(refused.len() > FLOOD / 2, "{}", refused.len());
    for answer in refused {
        let wait = answer.is_problem(503, "overloaded").header("retry-after");
        assert!(wait.is_some_and(|wait| wait.parse::<u64>().is_ok_and(|wait| wait >= 1)));
    }
    // Two hashes at once need 38 MiB; two thousand would need 38 GiB.
    let (grown, most) = (server.peak_memory(), (before + pool) * 6 / 5);
    assert!(grown <= most, "{grown} bytes, more than {most}");

    // Whoever leaves takes their place in the queue along.
    drop(logins(&server, PASSWORD));
    cgcg_testkit::run(cgcg_testkit::eventually("a login", async || {
        let login = json!({ "login": "ada@example.org", "password": PASSWORD });
        server.post("/api/v1/auth/login", &login).status == 200
    }));
    let grown = server.peak_memory();
    assert!(grown <= most, "{grown} bytes, more than {most}");
}
