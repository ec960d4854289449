use std::time::Duration;

use cgcg_core::{Clock, Conn, Db, Principal, Timestamp, on};
use cgcg_testkit::both;
use tokio::task::JoinSet;

use super::{Bed, PASSWORD, from, new_account, secret};
use crate::{Credentials, Device, Error, Reauthentication, Settings};

const WRONG: &str = "wrong password 1";

/// Seconds to wait, of a refusal; `None` for a plain failure.
fn wait(outcome: Result<crate::Tokens, Error>) -> Option<u64> {
    match outcome {
        Err(Error::InvalidCredentials) => None,
        Err(Error::Throttled { retry_after }) => Some(retry_after.as_secs_f64().ceil() as u64),
        other => panic!("neither wrong nor throttled: {other:?}"),
    }
}

/// Closes every counter until then.
async fn close(conn: &mut Conn, until: Timestamp) -> sqlx::Result<()> {
    let sql = "update auth_throttle set blocked_until = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(until).execute(c).await?;
    });
    Ok(())
}

both! {
    async fn b1_a_hundred_wrong_passwords_from_a_hundred_addresses_are_throttled(db: Db) {
        let bed = Bed::new(db).await;
        for login in ["ada@example.org", "nobody@example.org"] {
            if login.starts_with("ada") {
                bed.register(login).await;
                bed.log_in_from("192.0.2.1", login, PASSWORD).await.unwrap();
            }
            let mut waits = Vec::new();
            for at in 0..100 {
                waits.push(wait(bed.log_in_from(&format!("198.51.100.{at}"), login, WRONG).await));
            }
            // Known or not: alike. The sixth failure closes it.
            assert_eq!(waits.iter().filter(|wait| wait.is_none()).count(), 6, "{login}");
            assert!(waits[6..].iter().all(|wait| *wait == Some(1)), "{login}");
        }
        // At once from where the owner was before; elsewhere after the wait.
        bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        let refused = bed.log_in_from("192.0.2.99", "ada@example.org", PASSWORD).await;
        assert_eq!(wait(refused), Some(1));
        bed.advance(1);
        bed.log_in_from("192.0.2.99", "ada@example.org", PASSWORD).await.unwrap();
        // Success has cleared the counter.
        for _ in 0..6 {
            assert_eq!(wait(bed.log_in_from("192.0.2.98", "ada@example.org", WRONG).await), None);
        }
    }

    async fn b1_an_outsider_cannot_hold_an_account_shut_for_good(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let mut failures = 0;
        let mut longest = 0;
        for at in 0..260 {
            let ip = format!("203.0.113.{}", at % 250);
            match wait(bed.log_in_from(&ip, "ada@example.org", WRONG).await) {
                None => failures += 1,
                Some(seconds) => {
                    longest = longest.max(seconds);
                    bed.advance(seconds);
                }
            }
        }
        assert!(failures > 120, "{failures}");
        assert_eq!(longest, 900);
        // Past a hundred failures waiting still helps, from an address that nobody knows and without any mail.
        let refused = bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await;
        let seconds = wait(refused).unwrap_or_default();
        assert!(seconds <= 900, "{seconds}");
        bed.advance(seconds);
        bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        // An administrator need not wait.
        for _ in 0..6 {
            assert_eq!(wait(bed.log_in_from("203.0.113.9", "ada@example.org", WRONG).await), None);
        }
        assert_eq!(wait(bed.log_in_from("203.0.113.9", "ada@example.org", PASSWORD).await), Some(1));
        let operator = Principal::operator();
        bed.users.disable(&operator, ada.id).await.unwrap();
        bed.users.enable(&operator, ada.id).await.unwrap();
        bed.log_in_from("203.0.113.7", "ada@example.org", PASSWORD).await.unwrap();
    }

    async fn parallel_guesses_pass_no_more_than_a_row_of_them(db: Db) {
        let mut settings = Settings::default();
        settings.passwords.pool.wait = cgcg_core::Span::seconds(30);
        let bed = Bed::with(db, settings).await;
        bed.register("ada@example.org").await;
        for login in ["ada@example.org", "nobody@example.org"] {
            let mut tries = JoinSet::new();
            for _ in 0..16 {
                let (auth, credentials) = (bed.auth.clone(), Credentials { login: login.to_owned(), password: secret(WRONG) });
                tries.spawn(async move { wait(auth.login(&credentials, &Device::default()).await) });
            }
            let waits = tries.join_all().await;
            assert_eq!(waits.iter().filter(|wait| wait.is_none()).count(), 6, "{login}: {waits:?}");
            assert_eq!(waits.iter().filter(|wait| **wait == Some(1)).count(), 10, "{login}: {waits:?}");
        }
        // They were one failure too many, not ten.
        bed.advance(1);
        assert_eq!(wait(bed.try_log_in("ada@example.org", WRONG).await), None);
        assert_eq!(wait(bed.try_log_in("ada@example.org", WRONG).await), Some(2));
        bed.advance(2);
        bed.log_in("ada@example.org").await;
    }

    async fn a_right_password_among_parallel_guesses_is_refused_like_them(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        assert_eq!(wait(bed.try_log_in("ada@example.org", WRONG).await), None);
        // Others close the counter while the right one is hashed.
        let mut conn = bed.db.begin().await.unwrap();
        close(&mut conn, bed.clock.now() + Duration::from_secs(60)).await.unwrap();
        let mut login = Box::pin(bed.try_log_in("ada@example.org", PASSWORD));
        assert!(tokio::time::timeout(Duration::from_secs(1), &mut login).await.is_err(), "it waits");
        conn.commit().await.unwrap();
        assert_eq!(wait(login.await), Some(60));
        bed.advance(60);
        bed.log_in("ada@example.org").await;
    }

    async fn a_password_asked_for_again_counts_for_its_address(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        let proof = Reauthentication { password: secret(PASSWORD) };
        for _ in 0..30 {
            bed.auth.reauthenticate(&by, &proof, &from("192.0.2.1")).await.unwrap();
        }
        let refused = bed.auth.reauthenticate(&by, &proof, &from("192.0.2.1")).await;
        assert!(matches!(refused, Err(Error::Throttled { .. })));
        bed.auth.reauthenticate(&by, &proof, &from("192.0.2.2")).await.unwrap();
    }

    async fn refused_mail_takes_no_writer(db: Db) {
        let bed = Bed::new(db).await;
        let to = |at: usize| format!("x{at}@example.org").parse().unwrap();
        for at in 0..20 {
            bed.auth.may_mail(&to(at), &from("192.0.2.1")).await.unwrap();
        }
        let writer = bed.db.begin().await.unwrap();
        for at in 20..60 {
            let (to, device) = (to(at), from("192.0.2.1"));
            let asked = bed.auth.may_mail(&to, &device);
            let refused = tokio::time::timeout(Duration::from_secs(5), asked).await.expect("no wait");
            assert!(matches!(refused, Err(Error::Throttled { .. })));
        }
        drop(writer);
    }

    async fn a_known_address_has_a_counter_of_its_own_that_closes_too(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        for _ in 0..6 {
            assert_eq!(wait(bed.log_in_from("192.0.2.1", "ada@example.org", WRONG).await), None);
        }
        assert_eq!(wait(bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await), Some(1));
        // Nobody else pays for it.
        bed.log_in_from("192.0.2.2", "ada@example.org", PASSWORD).await.unwrap();
    }

    async fn two_names_of_an_account_do_not_tell_that_they_are_one(db: Db) {
        let bed = Bed::new(db).await;
        let named = crate::AccountCreate { username: Some("ada".parse().unwrap()), ..new_account("ada@example.org") };
        let ada = bed.auth.register(named, &Device::default()).await.unwrap().account().unwrap();
        for (name, email) in [("ada", "ada@example.org"), ("bob", "bob@example.org")] {
            for login in [name, &name.to_uppercase(), name, name, name, name] {
                assert_eq!(wait(bed.try_log_in(login, WRONG).await), None);
            }
            assert_eq!(wait(bed.try_log_in(name, WRONG).await), Some(1));
            for _ in 0..6 {
                assert_eq!(wait(bed.try_log_in(email, WRONG).await), None, "{email} is counted apart");
            }
            assert_eq!(wait(bed.try_log_in(email, WRONG).await), Some(1));
        }
        // What opens an account opens it by both.
        let operator = Principal::operator();
        bed.users.disable(&operator, ada.id).await.unwrap();
        bed.users.enable(&operator, ada.id).await.unwrap();
        bed.log_in("ada").await;
        bed.log_in("ada@example.org").await;
    }

    async fn an_administrator_opens_an_account_that_failures_have_closed_without_disabling_it(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        for _ in 0..6 {
            assert_eq!(wait(bed.try_log_in("ada@example.org", WRONG).await), None);
        }
        assert!(wait(bed.try_log_in("ada@example.org", PASSWORD).await).is_some());
        bed.users.enable(&Principal::operator(), ada.id).await.unwrap();
        bed.log_in("ada@example.org").await;
    }

    async fn failures_are_counted_by_all_nodes_and_over_restarts(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for _ in 0..6 {
            let node = bed.second().await;
            assert_eq!(wait(node.try_log_in("ada@example.org", WRONG).await), None);
        }
        assert_eq!(wait(bed.try_log_in("ada@example.org", PASSWORD).await), Some(1));
    }

    async fn failures_of_yesterday_are_forgotten(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for _ in 0..5 {
            assert_eq!(wait(bed.try_log_in("ada@example.org", WRONG).await), None);
        }
        bed.advance(86_401);
        for _ in 0..6 {
            assert_eq!(wait(bed.try_log_in("ada@example.org", WRONG).await), None);
        }
        bed.advance(86_401);
        let counters = bed.auth.purge().await.unwrap();
        assert_eq!(counters, 1, "the counter of the name");
        bed.log_in("ada@example.org").await;
    }

    async fn b2_a_success_does_not_reset_the_address(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for at in 0..28 {
            assert_eq!(wait(bed.log_in_from("192.0.2.1", &format!("nobody{at}"), WRONG).await), None);
        }
        for _ in 0..2 {
            bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        }
        let refused = bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await;
        assert!(wait(refused).is_some());
        bed.log_in_from("192.0.2.2", "ada@example.org", PASSWORD).await.unwrap();
        bed.advance(2);
        bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
    }

    async fn b3_one_customers_addresses_are_one_also_to_the_service(db: Db) {
        let bed = Bed::new(db).await;
        let refused = async |ip: &str| wait(bed.log_in_from(ip, &format!("x{ip}"), WRONG).await).is_some();
        for at in 0..30 {
            assert!(!refused(&format!("2001:db8::{at:x}")).await);
        }
        assert!(refused("2001:db8::ffff:1").await);
        assert!(!refused("2001:db8:0:1::1").await);
    }

    async fn registrations_and_refreshes_of_an_address_are_counted_apart(db: Db) {
        let bed = Bed::new(db).await;
        let register = async |at: usize| bed.auth.register(new_account(&format!("a{at}@example.org")), &from("192.0.2.1")).await;
        for at in 0..10 {
            register(at).await.unwrap();
        }
        let refused = register(10).await;
        assert!(matches!(refused, Err(Error::Throttled { retry_after }) if retry_after <= Duration::from_secs(360)));
        let mut tokens = bed.log_in_from("192.0.2.1", "a1@example.org", PASSWORD).await.unwrap();
        for _ in 0..60 {
            tokens = bed.auth.refresh(&tokens.refresh_token, &from("192.0.2.1")).await.unwrap();
        }
        let refused = bed.auth.refresh(&tokens.refresh_token, &from("192.0.2.1")).await;
        assert!(matches!(refused, Err(Error::Throttled { .. })));
        // It was only late: the token is still good.
        bed.auth.refresh(&tokens.refresh_token, &from("192.0.2.2")).await.unwrap();
    }

    async fn l8_mail_is_capped_by_target_and_by_address_known_or_not(db: Db) {
        let bed = Bed::new(db).await;
        let (ada, bob) = ("ada@example.org".parse().unwrap(), "bob@example.org".parse().unwrap());
        for _ in 0..3 {
            bed.auth.may_mail(&ada, &from("192.0.2.1")).await.unwrap();
        }
        let refused = bed.auth.may_mail(&"ADA@example.org".parse().unwrap(), &from("192.0.2.2")).await;
        assert!(matches!(refused, Err(Error::Throttled { .. })));
        bed.auth.may_mail(&bob, &from("192.0.2.1")).await.unwrap();
        let mut sent = Vec::new();
        for _ in 0..3 {
            bed.advance(3_600);
            let mut passed = 0;
            for _ in 0..3 {
                passed += usize::from(bed.auth.may_mail(&ada, &Device::default()).await.is_ok());
            }
            sent.push(passed);
        }
        assert_eq!(sent, [3, 3, 1], "ten a day");
        for at in 0..20 {
            bed.auth.may_mail(&format!("x{at}@example.org").parse().unwrap(), &from("192.0.2.9")).await.unwrap();
        }
        let refused = bed.auth.may_mail(&bob, &from("192.0.2.9")).await;
        assert!(matches!(refused, Err(Error::Throttled { .. })));
    }

    async fn throttles_can_be_switched_off_for_measurements(db: Db) {
        let mut settings = Settings::default();
        settings.throttle.addresses = false;
        settings.throttle.accounts = false;
        let bed = Bed::with(db, settings).await;
        for _ in 0..40 {
            assert_eq!(wait(bed.log_in_from("192.0.2.1", "nobody", WRONG).await), None);
        }
    }
}
