//! Tokens that are refreshed while something else happens to their session.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::{Value, json};

use crate::on_both;
use crate::support::{PASSWORD, People, Person, Server, Setup};

/// Who stays logged in: each with a session of its own.
const DEVICES: usize = 4;

/// Refreshes one session until it is over, or until it is told to stop; answers every token that it got.
fn keep_refreshing(
    server: &Server,
    first: &Person,
    steps: &AtomicUsize,
    stop: &AtomicBool,
) -> Vec<Person> {
    let mut got = vec![first.clone()];
    while !stop.load(Ordering::Relaxed) {
        let answer = server.refresh(&got[got.len() - 1].refresh);
        if answer.status != 200 {
            assert_eq!(answer.status, 401, "{answer:?}");
            break;
        }
        got.push(Person::of(&answer.json()));
        steps.fetch_add(1, Ordering::Relaxed);
    }
    got
}

/// Ends sessions in the midst of their refreshes. Once that is answered, nothing that was minted for them works, before
/// or after.
fn ends_whatever_is_refreshed(server: &Server, end: impl FnOnce(&[Person])) {
    let devices: Vec<Person> = (0..DEVICES)
        .map(|_| server.log_in("ada@example.org"))
        .collect();
    let (steps, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let minted: Vec<Vec<Person>> = std::thread::scope(|scope| {
        let (steps, stop) = (&steps, &stop);
        let refreshing = devices
            .iter()
            .map(|device| scope.spawn(move || keep_refreshing(server, device, steps, stop)));
        let refreshing: Vec<_> = refreshing.collect();
        while steps.load(Ordering::Relaxed) < 4 * DEVICES
            && refreshing.iter().any(|one| !one.is_finished())
        {
            std::thread::yield_now();
        }
        end(&devices);
        for device in &devices {
            server.get_as(device, "/api/v1/users/me").is(401);
        }
        stop.store(true, Ordering::Relaxed);
        refreshing
            .into_iter()
            .map(|one| one.join().unwrap())
            .collect()
    });
    for lineage in &minted {
        // The newest are the ones that could have slipped through.
        for tokens in lineage.iter().rev().take(3) {
            server.get_as(tokens, "/api/v1/users/me").is(401);
            server
                .refresh(&tokens.refresh)
                .is_problem(401, "invalid_grant");
        }
    }
}

/// Sends a refresh, and goes away once the answer is under way, without reading it.
fn refresh_and_leave(server: &Server, token: &str) {
    let body = json!({ "refresh_token": token }).to_string();
    let request = format!(
        "POST /api/v1/auth/refresh HTTP/1.1\r\nhost: cgcg\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut stream = TcpStream::connect(server.address()).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

on_both! {
    /// Parallel tabs get one successor.
    fn r1_fifty_refreshes_at_once_make_one_step(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let successors: BTreeSet<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..50).map(|_| scope.spawn(|| Person::of(&server.refresh(&ada.refresh).is(200).json()).refresh)).collect();
            all.into_iter().map(|one| one.join().unwrap()).collect()
        });
        assert_eq!(successors.len(), 1);
        let successor = successors.first().unwrap();
        server.refresh(successor).is(200);
    }

    /// Somebody has a copy; nobody can tell who, so both lose it.
    fn r3_a_token_that_is_two_steps_old_ends_the_session(setup: Setup) {
        let server = setup.start();
        let ada = server.person("ada@example.org");
        let second = Person::of(&server.refresh(&ada.refresh).is(200).json());
        let third = Person::of(&server.refresh(&second.refresh).is(200).json());
        server.refresh(&ada.refresh).is_problem(401, "invalid_grant");
        server.refresh(&third.refresh).is_problem(401, "invalid_grant");
        server.get_as(&third, "/api/v1/users/me").is(401);
    }

    /// Once a revoke is answered, nothing minted works on that node.
    fn r4_other_sessions_end_at_once_and_the_current_one_stays(setup: Setup) {
        let server = setup.start();
        let phone = server.person("ada@example.org");
        let laptop = server.log_in("ada@example.org");
        server.get_as(&phone, "/api/v1/users/me").is(200);
        server.send_as(&laptop, "DELETE", "/api/v1/auth/sessions?keep=current", &Value::Null).is(204);
        server.get_as(&phone, "/api/v1/users/me").is(401);
        server.refresh(&phone.refresh).is(401);
        server.get_as(&laptop, "/api/v1/users/me").is(200);
        server.send_as(&laptop, "DELETE", "/api/v1/auth/sessions", &Value::Null).is(204);
        server.get_as(&laptop, "/api/v1/users/me").is(401);
    }

    fn r4_no_refresh_outruns_a_logout_a_revoke_a_new_password_or_a_disable(setup: Setup) {
        let mut server = setup.start();
        let root = server.administrator();
        let ada = server.person("ada@example.org");
        let id = server.get_as(&ada, "/api/v1/users/me").json()["id"].as_str().unwrap().to_owned();
        ends_whatever_is_refreshed(&server, |devices| {
            // A token of before logs out as well as the newest.
            for device in devices {
                server.post("/api/v1/auth/logout", &json!({ "refresh_token": device.refresh })).is(204);
            }
        });
        ends_whatever_is_refreshed(&server, |_| {
            server.send_as(&ada, "DELETE", "/api/v1/auth/sessions?keep=current", &Value::Null).is(204);
        });
        ends_whatever_is_refreshed(&server, |_| {
            let change = json!({ "current_password": PASSWORD, "new_password": "staple of correct horses" });
            server.send_as(&ada, "POST", "/api/v1/auth/password/change", &change).is(200);
        });
        let back = json!({ "current_password": "staple of correct horses", "new_password": PASSWORD });
        let ada = Person::of(&server.refresh(&ada.refresh).is(200).json());
        server.send_as(&ada, "POST", "/api/v1/auth/password/change", &back).is(200);
        ends_whatever_is_refreshed(&server, |_| {
            server.send_as(&root, "POST", &format!("/api/v1/users/{id}/disable"), &Value::Null).is(200);
        });
    }

    /// Two steps in one second, and a `kill -9` before the old token comes again.
    fn r5_a_restart_forgets_no_step(setup: Setup) {
        let server = setup.with("CGCG_AUTH__SESSIONS__GRACE", "300s").start();
        let first = server.person("ada@example.org");
        let second = Person::of(&server.refresh(&first.refresh).is(200).json());
        let third = Person::of(&server.refresh(&second.refresh).is(200).json());
        let server = server.kill_and_start();
        let again = Person::of(&server.refresh(&second.refresh).is(200).json());
        assert_eq!(again.refresh, third.refresh);
        server.get_as(&again, "/api/v1/users/me").is(200);
        server.get_as(&third, "/api/v1/users/me").is(200);
        // Two steps old, before the restart as after it.
        let server = server.kill_and_start();
        server.refresh(&first.refresh).is_problem(401, "invalid_grant");
        server.refresh(&third.refresh).is_problem(401, "invalid_grant");
    }

    fn r6_an_answer_that_was_lost_is_given_again(setup: Setup) {
        let server = setup.clone().with("CGCG_AUTH__SESSIONS__GRACE", "300s").start();
        let mut ada = server.person("ada@example.org");
        for _ in 0..3 {
            refresh_and_leave(&server, &ada.refresh);
            ada = Person::of(&server.refresh(&ada.refresh).is(200).json());
        }
        server.get_as(&ada, "/api/v1/users/me").is(200);
        drop(server);
        // Outside of the grace nobody can tell the owner from a thief.
        let server = setup.with("CGCG_AUTH__SESSIONS__GRACE", "0s").start();
        let bob = server.person("bob@example.org");
        refresh_and_leave(&server, &bob.refresh);
        server.refresh(&bob.refresh).is_problem(401, "invalid_grant");
        server.get_as(&bob, "/api/v1/users/me").is_problem(401, "token_invalid");
        server.get_as(&ada, "/api/v1/users/me").is(200);
    }
}
