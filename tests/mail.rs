//! Mail of the real program: into files, through links, and never by what a request says of the host.

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{Answer, PASSWORD, People, Server, Setup, sqlite};

const NEW: &str = "staple of correct horses";

fn to_files(setup: &Setup) -> Setup {
    setup.clone().with("CGCG_AUTH__MAIL__TRANSPORT", "file")
}

/// The mailbox, as somebody at the machine sees it.
fn mails(server: &Server) -> Vec<Value> {
    let request =
        "GET /api/v1/auth/dev/mail HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n";
    let list = server.exchange(request.as_bytes()).is(200).json();
    list["items"].as_array().unwrap().clone()
}

/// The newest mail of that kind, once it is there.
fn mail(server: &Server, template: &str, count: usize) -> Value {
    let mut found = Vec::new();
    cgcg_testkit::run(cgcg_testkit::eventually("the mail", async || {
        found = mails(server);
        found.retain(|mail| mail["template"] == template);
        found.len() >= count
    }));
    found.remove(0)
}

fn link(mail: &Value) -> String {
    let text = mail["text"].as_str().unwrap();
    let link = text
        .split_whitespace()
        .find(|word| word.starts_with("http"))
        .unwrap();
    link.to_owned()
}

fn token(mail: &Value) -> String {
    link(mail).split_once('#').unwrap().1.to_owned()
}

/// Asks for a link while claiming that the server is somewhere else.
fn forgot_with(server: &Server, email: &str, line: &str, headers: &str) -> Answer {
    let body = json!({ "email": email }).to_string();
    let length = body.len();
    let request = format!(
        "{line}\r\n{headers}connection: close\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    );
    server.exchange(request.as_bytes())
}

on_both! {
    fn a_person_registers_proves_the_address_forgets_and_resets(setup: Setup) {
        let setup = to_files(&setup);
        let server = setup.start();
        let base = format!("http://{}/api/v1/auth/pages/", server.address());
        let made = server.register("ada@example.org").is(202);
        assert_eq!(made.json(), json!({ "status": "check_email" }));
        let verify = mail(&server, "verify", 1);
        assert!(link(&verify).starts_with(&format!("{base}verify#cgo1_")), "{verify}");
        // Whoever only opens the page changes nothing.
        server.get("/api/v1/auth/pages/verify").is(200);
        server.post("/api/v1/auth/email/verify", &json!({ "token": token(&verify) })).is(204);
        let ada = server.log_in("ada@example.org");
        assert!(server.get_as(&ada, "/api/v1/users/me").is(200).json()["email_verified_at"].is_string());

        server.post("/api/v1/auth/password/forgot", &json!({ "email": "ADA@example.org" })).is(202);
        let reset = mail(&server, "reset", 1);
        assert!(link(&reset).starts_with(&format!("{base}reset#cgo1_")), "{reset}");
        let new = json!({ "token": token(&reset), "new_password": NEW });
        server.post("/api/v1/auth/password/reset", &new).is(204);
        server.post("/api/v1/auth/password/reset", &new).is_problem(400, "one_time_token_invalid");
        server.get_as(&ada, "/api/v1/users/me").is(401);
        server.refresh(&ada.refresh).is(401);
        mail(&server, "password_changed", 1);
        let login = |password: &str| json!({ "login": "ada@example.org", "password": password });
        server.post("/api/v1/auth/login", &login(PASSWORD)).is(401);
        server.post("/api/v1/auth/login", &login(NEW)).is(200);
    }

    fn m1_links_lead_to_the_settings_whatever_the_request_says(setup: Setup) {
        let setup = to_files(&setup).with("CGCG_HTTP__PUBLIC_URL", "http://localhost:4711");
        let server = setup.start();
        let line = "POST /api/v1/auth/password/forgot HTTP/1.1";
        let absolute = "POST http://evil.example/api/v1/auth/password/forgot HTTP/1.1";
        let tries = [
            (line, "host: evil.example\r\n"),
            (line, "host: localhost\r\nx-forwarded-host: evil.example\r\nx-forwarded-proto: http\r\nx-forwarded-port: 1\r\n"),
            (line, "host: localhost\r\nforwarded: host=evil.example;proto=http\r\n"),
            (line, "host: localhost\r\norigin: https://evil.example\r\nreferer: https://evil.example/\r\n"),
            (line, "host: localhost\r\nx-original-url: https://evil.example/\r\nx-rewrite-url: /evil\r\n"),
            (line, "host: api.example.org@evil.example\r\n"),
            (absolute, "host: evil.example\r\n"),
        ];
        let mut sent = 0;
        for (number, (line, headers)) in tries.into_iter().enumerate() {
            // Nobody gets more than three mails an hour that a stranger can ask for.
            let email = format!("person{number}@example.org");
            server.register(&email).is(202);
            mail(&server, "verify", number + 1);
            let answer = forgot_with(&server, &email, line, headers);
            // What is no name of a host may be refused.
            assert!([202, 400].contains(&answer.status), "{headers}: {answer:?}");
            if answer.status == 202 {
                sent += 1;
                let reset = mail(&server, "reset", sent);
                assert!(link(&reset).starts_with("http://localhost:4711/api/v1/auth/pages/reset#cgo1_"), "{reset}");
                assert!(!reset.to_string().contains("evil"), "{reset}");
            }
        }
        assert!(sent >= 5, "{sent}");
    }

    /// Links of mail as well: whoever reads the log at its most talkative, or the database, finds none.
    fn o4_no_token_of_a_mail_is_in_the_log_or_the_database(setup: Setup) {
        let setup = to_files(&setup).with("CGCG_LOG__LEVEL", "trace");
        let server = setup.start();
        server.register("ada@example.org").is(202);
        let verify = token(&mail(&server, "verify", 1));
        server.post("/api/v1/auth/email/verify", &json!({ "token": verify })).is(204);
        server.post("/api/v1/auth/password/forgot", &json!({ "email": "ada@example.org" })).is(202);
        let reset = token(&mail(&server, "reset", 1));
        server.post("/api/v1/auth/password/reset", &json!({ "token": reset, "new_password": NEW })).is(204);
        let data = server.data();
        server.signal("-TERM");
        server.ended();
        let files = std::fs::read_dir(data).unwrap().map(|file| file.unwrap().path());
        let mut seen: Vec<Vec<u8>> = files.filter(|path| path.is_file()).map(|path| std::fs::read(path).unwrap()).collect();
        seen.push(setup.log().into_bytes());
        for secret in [&*verify, &*reset, PASSWORD, NEW] {
            let holds = |bytes: &Vec<u8>| bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
            assert!(!seen.iter().any(holds), "{secret}");
        }
    }

    fn a_server_without_mail_prints_reset_links(setup: Setup) {
        let server = setup.start();
        server.register("ada@example.org").is(201);
        let printed = setup.run(&["admin", "reset-link", "ada@example.org"]);
        assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
        let link = String::from_utf8(printed.stdout).unwrap();
        let (_, token) = link.trim().split_once("/api/v1/auth/pages/reset#").unwrap();
        let new = json!({ "token": token, "new_password": NEW });
        server.post("/api/v1/auth/password/reset", &new).is(204);
        let login = json!({ "login": "ada@example.org", "password": NEW });
        server.post("/api/v1/auth/login", &login).is(200);
        assert!(!setup.run(&["admin", "reset-link", "eve@example.org"]).status.success());
    }
}

#[test]
fn mail_to_files_does_not_start_where_others_reach_it() {
    let setup = to_files(&sqlite()).with("CGCG_HTTP__LISTEN", "0.0.0.0:0");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_cgcg"));
    let output = command
        .current_dir(setup.folder())
        .env("CGCG_AUTH__MAIL__TRANSPORT", "file")
        .env("CGCG_HTTP__LISTEN", "0.0.0.0:0")
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("mail.transport"), "{said}");
}

#[test]
#[cfg(feature = "mail")]
fn the_password_of_the_mail_server_may_stand_in_a_file_and_is_never_shown() {
    let setup = sqlite()
        .with("CGCG_AUTH__MAIL__SMTP__USERNAME", "ada")
        .with("CGCG_AUTH__MAIL__SMTP__PASSWORD_FILE", "password");
    std::fs::write(setup.folder().join("password"), "hunter22\n").unwrap();
    let shown = setup.run(&["config", "show"]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("mail.smtp.password = \"[secret]\"  # CGCG_AUTH__MAIL__SMTP__PASSWORD_FILE"),
        "{shown}"
    );
    assert!(!shown.contains("hunter22"), "{shown}");
}
