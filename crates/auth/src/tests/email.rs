use std::sync::{Arc, Mutex};

use cgcg_core::{
    AccountChange, AccountObserver, BoxFuture, Conn, Db, Denied, Id, ObserverError, Principal, User,
};
use cgcg_testkit::both;

use super::mailbox::{Mailbox, token};
use super::{Bed, CATALOGUE, PASSWORD, keys, new_account, secret};
use crate::{
    Device, EmailChange, EmailVerification, Error, Host, Registration, Settings, Welcome, store,
};

fn here() -> Device {
    Device::default()
}

fn to(new_email: &str, password: &str) -> EmailChange {
    EmailChange {
        new_email: new_email.parse().unwrap(),
        password: secret(password),
    }
}

fn off() -> Settings {
    let registration = Registration {
        email_verification: Some(EmailVerification::Off),
        ..Registration::default()
    };
    Settings {
        registration,
        ..Settings::default()
    }
}

/// Which account, who did it, and what.
type Told = (Id<User>, Option<Id<User>>, AccountChange);

/// Another feature that keeps something of accounts.
#[derive(Default)]
struct Neighbour(Mutex<Vec<Told>>);

impl AccountObserver for Neighbour {
    fn before_change<'a>(
        &'a self,
        _: &'a mut Conn,
        by: &'a Principal,
        id: Id<User>,
        change: AccountChange,
    ) -> BoxFuture<'a, Result<(), ObserverError>> {
        self.0.lock().unwrap().push((id, by.user(), change));
        Box::pin(async { Ok(()) })
    }
}

both! {
    async fn other_features_are_asked_before_an_account_moves(db: Db) {
        let bed = Bed::new(db).await;
        let (neighbour, mailbox) = (Arc::<Neighbour>::default(), Arc::<Mailbox>::default());
        let host = Host { observers: vec![neighbour.clone()], ..Host::default() };
        let node = Bed::hosted(bed.db.clone(), bed.clock.clone(), off(), keys(7), host.clone());
        node.auth.open(CATALOGUE).await.unwrap();
        let ada = node.register("ada@example.org").await;
        let by = node.who(&node.log_in("ada@example.org").await).await.unwrap();
        node.auth.change_email(&by, to("ada@example.com", PASSWORD), &here()).await.unwrap();
        let told = (ada.id, Some(ada.id), AccountChange::EmailChanged);
        assert_eq!(*neighbour.0.lock().unwrap(), [told]);

        let host = Host { mailer: Some(mailbox.clone()), public_url: Some("https://api.example.org".to_owned()), ..host };
        let mut node = Bed::hosted(bed.db.clone(), bed.clock.clone(), off(), keys(7), host);
        node.mailbox = mailbox;
        node.auth.open(CATALOGUE).await.unwrap();
        let by = node.who(&node.log_in("ada@example.com").await).await.unwrap();
        node.mails().await;
        node.auth.change_email(&by, to("ada@example.net", PASSWORD), &here()).await.unwrap();
        assert_eq!(neighbour.0.lock().unwrap().len(), 1, "nothing has moved yet");
        node.auth.verify_email(&node.token("verify").await, &here()).await.unwrap();
        assert_eq!(*neighbour.0.lock().unwrap(), [told, told]);
        node.log_in("ada@example.net").await;
    }

    async fn l7_a_taken_address_gets_the_same_answer_and_its_owner_a_mail(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        assert!(bed.auth.verifies_email());
        let mut answers = Vec::new();
        for spelling in ["Ada@example.org", "ada@example.org", "ADA@Example.org"] {
            let answer = bed.auth.register(new_account(spelling), &here()).await.unwrap();
            assert!(matches!(answer, Welcome::CheckEmail));
            answers.push(format!("{answer:?}"));
        }
        answers.dedup();
        assert_eq!(answers.len(), 1);
        let told = ("already_registered", "Ada@example.org".to_owned());
        assert_eq!(bed.mailed().await, [told.clone(), told, ("verify", "Ada@example.org".to_owned())]);
    }

    async fn l7_a_user_name_cannot_mark_an_address_as_free(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        let named = |email: &str| {
            let mut new = new_account(email);
            new.username = Some("zq81".parse().unwrap());
            new
        };
        bed.auth.register(new_account("taken@example.org"), &here()).await.unwrap();
        // A name that the first request took, where its address was free, would be taken in the second.
        for email in ["taken@example.org", "free@example.org", "eve@example.org"] {
            let refusal = bed.auth.register(named(email), &here()).await.unwrap_err();
            let Error::Invalid { field: "username", invalid } = refusal else { panic!("{email}: {refusal}") };
            assert_eq!(invalid.code, "username_too_early");
        }
    }

    async fn l1_a_login_does_not_tell_whether_the_address_was_free_before(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        bed.admin("taken@example.org").await;
        let mut seen = Vec::new();
        for email in ["taken@example.org", "free@example.org"] {
            let mut new = new_account(email);
            new.password = secret("a password of a stranger");
            assert!(matches!(bed.auth.register(new, &here()).await.unwrap(), Welcome::CheckEmail));
            bed.mails().await;
            let mut answers = Vec::new();
            for _ in 0..7 {
                let answer = bed.try_log_in(email, "a password of a stranger").await.unwrap_err();
                answers.push(format!("{answer:?}"));
            }
            bed.auth.errands_end().await;
            // Nor do the counters of mail.
            for _ in 0..3 {
                let resent = bed.auth.resend_verification(email.parse().unwrap(), &here()).await;
                answers.push(format!("{resent:?}"));
            }
            seen.push(answers);
        }
        assert_eq!(seen[0], seen[1]);
        assert!(seen[0][0].contains("InvalidCredentials") && seen[0][6].contains("Throttled"), "{seen:?}");
    }

    async fn a_right_password_of_an_unproved_address_mails_a_link_once_an_hour(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        bed.auth.register(new_account("ada@example.org"), &here()).await.unwrap();
        bed.mails().await;
        let refused = async || {
            assert!(matches!(bed.try_log_in("ada@example.org", "wrong password 1").await, Err(Error::InvalidCredentials)));
            assert_eq!(bed.mailed().await, []);
            assert!(matches!(bed.try_log_in("ada@example.org", PASSWORD).await, Err(Error::InvalidCredentials)));
        };
        refused().await;
        bed.mails().await;
        refused().await;
        assert_eq!(bed.mailed().await, []);
        bed.advance(3_600);
        refused().await;
        bed.auth.verify_email(&bed.token("verify").await, &here()).await.unwrap();
        bed.advance(3_600);
        bed.log_in("ada@example.org").await;
    }

    async fn a_link_proves_the_address_once(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        let ada = bed.register("ada@example.org").await;
        assert_eq!(bed.mailed().await, [], "nothing to prove, nothing to mail");
        let email = || "ada@example.org".parse().unwrap();
        bed.auth.resend_verification(email(), &here()).await.unwrap();
        let token = bed.token("verify").await;
        assert!(!bed.is_verified(ada.id).await);
        bed.auth.verify_email(&token, &here()).await.unwrap();
        assert!(bed.is_verified(ada.id).await);
        let again = bed.auth.verify_email(&token, &here()).await;
        assert!(matches!(again, Err(Error::OneTimeTokenInvalid)));
        bed.auth.resend_verification(email(), &here()).await.unwrap();
        assert_eq!(bed.mailed().await, [], "there is nothing left to prove");
    }

    async fn a_link_to_verify_ends_after_a_day_and_with_a_newer_one(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        bed.register("ada@example.org").await;
        let mut tokens = Vec::new();
        for _ in 0..2 {
            bed.auth.resend_verification("ada@example.org".parse().unwrap(), &here()).await.unwrap();
            tokens.push(bed.token("verify").await);
        }
        assert!(matches!(bed.auth.verify_email(&tokens[0], &here()).await, Err(Error::OneTimeTokenInvalid)));
        bed.advance(24 * 3_600);
        assert!(matches!(bed.auth.verify_email(&tokens[1], &here()).await, Err(Error::OneTimeTokenInvalid)));
    }

    async fn r9_an_account_moves_when_the_new_address_is_proved_and_all_it_had_ends(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        let reset = bed.forgotten("ada@example.org").await;
        let wrong = bed.auth.change_email(&by, to("ada@example.com", "wrong password 1"), &here()).await;
        assert!(matches!(wrong, Err(Error::WrongPassword)));
        bed.auth.change_email(&by, to("ada@example.com", PASSWORD), &here()).await.unwrap();
        let mails = bed.mails().await;
        assert_eq!((mails.len(), mails[0].template, mails[0].to.as_str()), (1, "verify", "ada@example.com"));
        assert_eq!(bed.users.get(ada.id).await.unwrap().base.email, "ada@example.org");
        bed.who(&tokens).await.unwrap();

        bed.auth.verify_email(&token(&mails[0]), &here()).await.unwrap();
        assert_eq!(bed.users.get(ada.id).await.unwrap().base.email, "ada@example.com");
        assert!(bed.is_verified(ada.id).await);
        assert_eq!(bed.mailed().await, [("email_changed", "ada@example.org".to_owned())]);
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &here()).await, Err(Error::InvalidGrant)));
        let reset = crate::PasswordReset { token: reset, new_password: secret(PASSWORD) };
        assert!(matches!(bed.auth.reset(&reset, &here()).await, Err(Error::OneTimeTokenInvalid)));
        assert!(bed.try_log_in("ada@example.org", PASSWORD).await.is_err());
        bed.log_in("ada@example.com").await;
    }

    async fn a_link_to_move_does_not_outlive_the_password_that_earned_it(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        let ada = bed.register("ada@example.org").await;
        let by = bed.who(&bed.log_in("ada@example.org").await).await.unwrap();
        let mut change = bed.db.begin().await.unwrap();
        let known = store::passwords::known(&mut change, ada.id).await.unwrap().unwrap();
        store::subjects::raise_epoch(&mut change, ada.id).await.unwrap();
        store::passwords::rehash(&mut change, ada.id, &known.hash, "another").await.unwrap();
        let (node, thief) = (bed.auth.clone(), by.clone());
        let asked = tokio::spawn(async move { node.change_email(&thief, to("eve@example.org", PASSWORD), &here()).await });
        bed.a_while().await;
        change.commit().await.unwrap();
        let refusal = asked.await.unwrap();
        assert!(matches!(refusal, Err(Error::WrongPassword)), "{refusal:?}");
        assert_eq!(bed.mailed().await, []);
    }

    async fn a_session_that_ended_while_the_password_was_hashed_moves_nothing(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        let tokens = bed.person("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        bed.auth.logout(&by, &here()).await.unwrap();
        // What was authenticated a moment ago is still under way.
        let asked = bed.auth.change_email(&by, to("eve@example.org", PASSWORD), &here()).await;
        assert!(matches!(asked, Err(Error::InvalidGrant)), "{asked:?}");
        assert_eq!(bed.mailed().await, []);
    }

    async fn r9_without_mail_an_account_moves_at_once_and_only_what_asks_goes_on(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("bob@example.org").await;
        let ada = bed.register("ada@example.org").await;
        let (tokens, other) = (bed.log_in("ada@example.org").await, bed.log_in("ada@example.org").await);
        let by = bed.who(&tokens).await.unwrap();
        let wrong = bed.auth.change_email(&by, to("ada@example.com", "wrong password 1"), &here()).await;
        assert!(matches!(wrong, Err(Error::WrongPassword)));
        let taken = bed.auth.change_email(&by, to("bob@example.org", PASSWORD), &here()).await;
        assert!(matches!(taken, Err(Error::EmailTaken)));
        bed.auth.change_email(&by, to("ada@example.com", PASSWORD), &here()).await.unwrap();
        assert_eq!(bed.users.get(ada.id).await.unwrap().base.email, "ada@example.com");
        assert!(!bed.is_verified(ada.id).await);
        assert_eq!(bed.who(&other).await.unwrap_err(), Denied::Invalid);
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Stale);
        let tokens = bed.auth.refresh(&tokens.refresh_token, &here()).await.unwrap();
        bed.who(&tokens).await.unwrap();
        bed.log_in("ada@example.com").await;
    }

    async fn the_first_proof_of_an_address_ends_what_a_stranger_made_before(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        let key = bed.key(&by, &["tasks:read"]).await;
        bed.who_has(&key).await.unwrap();
        bed.auth.change_email(&by, to("mallory@example.org", PASSWORD), &here()).await.unwrap();
        let away = bed.token("verify").await;
        bed.auth.resend_verification("ada@example.org".parse().unwrap(), &here()).await.unwrap();
        bed.auth.verify_email(&bed.token("verify").await, &here()).await.unwrap();
        assert!(bed.is_verified(ada.id).await);
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &here()).await, Err(Error::InvalidGrant)));
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.verify_email(&away, &here()).await, Err(Error::OneTimeTokenInvalid)));
    }

    async fn nobody_moves_to_an_address_that_another_account_has(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        bed.register("bob@example.org").await;
        let tokens = bed.person("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        bed.auth.change_email(&by, to("Bob@example.org", PASSWORD), &here()).await.unwrap();
        assert_eq!(bed.mailed().await, [("already_registered", "bob@example.org".to_owned())]);
        // Taken between the mail and the click.
        bed.auth.change_email(&by, to("new@example.org", PASSWORD), &here()).await.unwrap();
        let token = bed.token("verify").await;
        bed.register("new@example.org").await;
        assert!(matches!(bed.auth.verify_email(&token, &here()).await, Err(Error::OneTimeTokenInvalid)));
        bed.who(&tokens).await.unwrap();
    }

    async fn an_address_that_an_administrator_changes_is_told(db: Db) {
        let bed = Bed::with_mail(db, off()).await;
        let ada = bed.register("ada@example.org").await;
        let update = serde_json::from_str(r#"{"email": "ada@example.com"}"#).unwrap();
        bed.users.update(&cgcg_core::Principal::operator(), ada.id, update, None).await.unwrap();
        assert_eq!(bed.mailed().await, [("email_changed", "ada@example.org".to_owned())]);
    }
}
