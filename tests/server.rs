//! What holds for every request, whatever the features.

use crate::support::sqlite;

#[test]
fn every_answer_has_an_id_and_forbids_browsers_what_they_need_not_do() {
    let server = sqlite().start();
    let answer = server.send(
        "GET",
        "/health/live",
        &[("x-request-id", "from-the-proxy-1")],
        "",
    );
    assert_eq!(answer.header("x-request-id"), Some("from-the-proxy-1"));
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
    assert_eq!(answer.header("cache-control"), Some("no-store"));
    let strange = server.send(
        "GET",
        "/nowhere",
        &[("x-request-id", "no good: it has blanks")],
        "",
    );
    let id = strange
        .is_problem(404, "path_not_found")
        .header("x-request-id")
        .unwrap();
    assert!(
        id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()),
        "{id}"
    );
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let server = sqlite().start();
    let answer = server.send("DELETE", "/health/live", &[], "");
    assert_eq!(
        answer.is_problem(405, "method_not_allowed").header("allow"),
        Some("GET, HEAD")
    );
}

#[test]
fn one_address_is_slowed_down_and_told_for_how_long() {
    let setup = sqlite()
        .with("CGCG_LIMITS__RATE_LIMIT__PER_SECOND", "1")
        .with("CGCG_LIMITS__RATE_LIMIT__BURST", "3");
    let server = setup.start();
    let answers: Vec<_> = (0..6).map(|_| server.get("/health/live")).collect();
    assert_eq!(
        answers[0].header("ratelimit-policy"),
        Some("\"address\";q=3;w=3")
    );
    assert_eq!(answers[0].status, 200);
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert_eq!(
        refused.is_problem(429, "throttled").header("retry-after"),
        Some("1")
    );
}

#[test]
fn head_answers_as_get_without_the_body() {
    let server = sqlite().start();
    let answer = server.send("HEAD", "/health/live", &[], "").is(200);
    assert_eq!(answer.header("content-length"), Some("15"));
    assert_eq!(answer.text, "");
}

/// actix answers, and then waits for the rest for ever: a few such clients took every connection.
#[test]
fn a_body_that_never_ends_does_not_keep_its_connection() {
    let server = sqlite().start();
    for path in ["/health/live", "/nowhere", "/api/v1/users/me"] {
        let head =
            format!("POST {path} HTTP/1.1\r\nhost: cgcg\r\ntransfer-encoding: chunked\r\n\r\n");
        let answer = server.exchange(head.as_bytes());
        assert_eq!(
            answer.header("connection"),
            Some("close"),
            "{path}: {answer:?}"
        );
    }
}

#[test]
fn a_head_that_never_ends_is_not_waited_for() {
    let server = sqlite().with("CGCG_HTTP__HEADER_WAIT", "1s").start();
    let answer = server.exchange(b"GET /health/live HTTP/1.1\r\nhost: cgcg\r\nx-slow: ");
    answer.is_problem(408, "request_timeout");
    assert_eq!(answer.header("connection"), Some("close"));
    assert!(answer.header("x-request-id").is_some(), "{answer:?}");
    assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn what_is_no_request_gets_a_problem_too() {
    let server = sqlite().start();
    let long = format!("GET / HTTP/1.1\r\nx-long: {}\r\n\r\n", "a".repeat(1 << 20));
    let table: [(&[u8], u16, &str); 4] = [
        (b"hello\r\n\r\n", 400, "request_invalid"),
        (
            b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
            400,
            "request_invalid",
        ),
        (
            b"GET /\0 HTTP/1.1\r\nhost: a\r\n\r\n",
            400,
            "request_invalid",
        ),
        (long.as_bytes(), 431, "headers_too_large"),
    ];
    for (head, status, code) in table {
        server.exchange(head).is_problem(status, code);
    }
    server.get("/health/live").is(200);
}

#[test]
fn told_to_stop_it_ends_in_order() {
    let server = sqlite().start();
    server.get("/health/live").is(200);
    server.signal("-TERM");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
#[cfg(feature = "auth")]
fn told_to_stop_it_finishes_what_is_under_way() {
    use std::io::{Read, Write};
    use std::net::TcpStream;

    let server = sqlite().start();
    let body = r#"{"email":"ada@example.org","password":"correct horse battery"}"#;
    let (first, rest) = body.split_at(20);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let length = body.len();
    write!(
        stream,
        "POST /api/v1/auth/register HTTP/1.1\r\nhost: cgcg\r\ncontent-type: application/json\r\n\
         content-length: {length}\r\nexpect: 100-continue\r\n\r\n"
    )
    .unwrap();
    // The server says that it reads the body: the request is under way.
    let mut head = [0; 25];
    stream.read_exact(&mut head).unwrap();
    assert!(
        head.starts_with(b"HTTP/1.1 100"),
        "{}",
        String::from_utf8_lossy(&head)
    );
    stream.write_all(first.as_bytes()).unwrap();
    server.signal("-TERM");
    cgcg_testkit::run(cgcg_testkit::eventually("it stops to listen", async || {
        TcpStream::connect(server.address()).is_err()
    }));
    stream.write_all(rest.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 201"), "{answer}");
    assert_eq!(server.ended().code(), Some(0));
}

#[test]
fn an_address_that_is_taken_is_named() {
    let server = sqlite().start();
    let folder = cgcg_testkit::folder();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_cgcg"))
        .args(["--listen", server.address()])
        .current_dir(&folder)
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains(server.address()) && said.contains("--listen"),
        "{said}"
    );
}
