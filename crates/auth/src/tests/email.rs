use cgcg_core::{Db, Denied};
use cgcg_testkit::both;

use super::mailbox::token;
use super::{Bed, PASSWORD, new_account, secret};
use crate::{Device, EmailChange, EmailVerification, Error, Registration, Settings, Welcome};

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

both! {
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

    async fn l7_a_taken_user_name_does_not_tell_whether_the_address_is_taken(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        let named = |email: &str| {
            let mut new = new_account(email);
            new.username = Some("ada".parse().unwrap());
            new
        };
        bed.auth.register(named("ada@example.org"), &here()).await.unwrap();
        for email in ["ada@example.org", "eve@example.org"] {
            let refusal = bed.auth.register(named(email), &here()).await.unwrap_err();
            assert!(matches!(refusal, Error::UsernameTaken), "{email}: {refusal}");
        }
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
