use cgcg_core::{Conn, Db, Denied, Id, Principal, Secret, User, on};
use cgcg_testkit::both;
use tokio::task::JoinSet;

use super::mailbox::token;
use super::rights::roles;
use super::setup::set_up;
use super::{Bed, PASSWORD, secret};
use crate::{
    Credentials, Device, EmailVerification, Error, PasswordReset, Registration, Settings, store,
};

const NEW: &str = "staple of correct horses";

fn here() -> Device {
    Device::default()
}

fn with(token: &Secret<String>) -> PasswordReset {
    PasswordReset {
        token: token.clone(),
        new_password: secret(NEW),
    }
}

async fn bed(db: Db) -> Bed {
    let registration = Registration {
        email_verification: Some(EmailVerification::Off),
        ..Registration::default()
    };
    let settings = Settings {
        registration,
        ..Settings::default()
    };
    Bed::with_mail(db, settings).await
}

impl Bed {
    async fn is_refused(&self, token: &Secret<String>) -> bool {
        let outcome = self.auth.reset(&with(token), &here()).await;
        matches!(outcome, Err(Error::OneTimeTokenInvalid))
    }
}

/// A key as somebody else's code would have made it.
async fn add_key(bed: &Bed, owner: Id<User>) {
    let mut conn = bed.db.begin().await.unwrap();
    let sql =
        "insert into auth_api_keys (id, owner_id, name, hint, secret_hash, scopes, created_at)
               values ($1, $1, 'ci', 'abcd', $2, $3, 1)";
    on!(&mut conn, |c| sqlx::query(sql)
        .bind(owner)
        .bind(owner.uuid().as_bytes().to_vec())
        .bind(sqlx::types::Json(serde_json::json!([])))
        .execute(c)
        .await
        .map(drop))
    .unwrap();
    conn.commit().await.unwrap();
}

async fn live_keys(conn: &mut Conn) -> i64 {
    let sql = "select count(*) from auth_api_keys where revoked_at is null";
    on!(conn, |c| sqlx::query_scalar(sql).fetch_one(c).await).unwrap()
}

both! {
    async fn l8_forgot_answers_everybody_alike_and_mails_later(db: Db) {
        let bed = bed(db).await;
        bed.register("ada@example.org").await;
        let off = bed.register("off@example.org").await;
        bed.users.disable(&Principal::operator(), off.id).await.unwrap();
        for email in ["ada@example.org", "off@example.org", "nobody@example.org"] {
            bed.auth.forgot(email.parse().unwrap(), &here()).await.unwrap();
            bed.auth.resend_verification(email.parse().unwrap(), &here()).await.unwrap();
        }
        let ada = "ada@example.org".to_owned();
        assert_eq!(bed.mailed().await, [("reset", ada.clone()), ("verify", ada)]);
    }

    async fn l9_a_reset_goes_to_the_stored_address_only(db: Db) {
        let bed = bed(db).await;
        bed.register("Mike@Example.org").await;
        bed.auth.forgot("mike@example.ORG".parse().unwrap(), &here()).await.unwrap();
        assert_eq!(bed.mailed().await, [("reset", "Mike@example.org".to_owned())]);
        for other in ["mıke@example.org", "mike\u{200b}@example.org", "mike@example.org.", "mike@exampIe.org\0"] {
            assert!(other.parse::<cgcg_core::Email>().is_err(), "{other:?}");
        }
        bed.register("eve@bücher.example").await;
        bed.auth.forgot("eve@xn--bcher-kva.example".parse().unwrap(), &here()).await.unwrap();
        assert_eq!(bed.mailed().await, [("reset", "eve@xn--bcher-kva.example".to_owned())]);
    }

    async fn m2_of_fifty_resets_at_once_one_wins(db: Db) {
        let bed = bed(db).await;
        bed.register("ada@example.org").await;
        let token = bed.forgotten("ada@example.org").await;
        let mut tries = JoinSet::new();
        for _ in 0..50 {
            let (auth, new) = (bed.auth.clone(), with(&token));
            tries.spawn(async move { auth.reset(&new, &here()).await });
        }
        let outcomes = tries.join_all().await;
        let won = outcomes.iter().filter(|outcome| outcome.is_ok()).count();
        assert_eq!(won, 1, "{outcomes:?}");
        let lost = |outcome: &&Result<(), Error>| matches!(outcome, Err(Error::OneTimeTokenInvalid | Error::Overloaded));
        assert_eq!(outcomes.iter().filter(lost).count(), 49, "{outcomes:?}");
    }

    async fn m2_a_link_dies_on_a_newer_one_and_on_any_change(db: Db) {
        let bed = bed(db).await;
        let ada = bed.register("ada@example.org").await;
        let older = bed.forgotten("ada@example.org").await;
        let newer = bed.forgotten("ada@example.org").await;
        assert!(bed.is_refused(&older).await);
        let update = serde_json::from_str(r#"{"email": "ada@example.com"}"#).unwrap();
        bed.users.update(&Principal::operator(), ada.id, update, None).await.unwrap();
        bed.mails().await;
        assert!(bed.is_refused(&newer).await);

        let reset = bed.forgotten("ada@example.com").await;
        bed.auth.resend_verification("ada@example.com".parse().unwrap(), &here()).await.unwrap();
        let verify = bed.token("verify").await;
        bed.auth.reset(&with(&reset), &here()).await.unwrap();
        assert!(matches!(bed.auth.verify_email(&verify, &here()).await, Err(Error::OneTimeTokenInvalid)));
        bed.mails().await;

        let late = bed.forgotten("ada@example.com").await;
        bed.advance(30 * 60);
        assert!(bed.is_refused(&late).await);
    }

    async fn m2_a_password_that_is_refused_leaves_the_link_good(db: Db) {
        let bed = bed(db).await;
        bed.register("ada@example.org").await;
        let token = bed.forgotten("ada@example.org").await;
        let short = PasswordReset { token: token.clone(), new_password: secret("short") };
        let refusal = bed.auth.reset(&short, &here()).await.unwrap_err();
        assert!(matches!(refusal, Error::Invalid { field: "new_password", .. }));
        bed.auth.reset(&with(&token), &here()).await.unwrap();
    }

    async fn m2_a_disabled_account_has_no_use_for_its_link(db: Db) {
        let bed = bed(db).await;
        let ada = bed.register("ada@example.org").await;
        let token = bed.forgotten("ada@example.org").await;
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        assert!(bed.is_refused(&token).await);
    }

    async fn m2_links_do_not_outlive_a_disable(db: Db) {
        let bed = bed(db).await;
        let ada = bed.register("ada@example.org").await;
        let token = bed.forgotten("ada@example.org").await;
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        bed.users.enable(&Principal::operator(), ada.id).await.unwrap();
        assert!(bed.is_refused(&token).await);
    }

    async fn u1_a_deleted_account_does_not_come_back_with_a_link_that_was_under_way(db: Db) {
        let bed = bed(db).await;
        let ada = bed.register("ada@example.org").await;
        let mut change = bed.db.begin().await.unwrap();
        store::subjects::delete(&mut change, ada.id).await.unwrap();
        store::grants::delete_of(&mut change, ada.id).await.unwrap();
        on!(&mut change, |c| sqlx::query("delete from users where id = $1").bind(ada.id).execute(c).await.map(drop)).unwrap();
        let (auth, id) = (bed.auth.clone(), ada.id);
        let asked = tokio::spawn(async move {
            let forgot = auth.forgot("ada@example.org".parse().unwrap(), &here()).await;
            let link = auth.send_password_link(&Principal::operator(), id, &here()).await;
            let given = auth.set_user_roles(&Principal::operator(), id, &roles(&["user"]), &here()).await;
            (forgot, link, given.map(drop))
        });
        bed.a_while().await;
        change.commit().await.unwrap();
        let (forgot, link, given) = asked.await.unwrap();
        forgot.unwrap();
        assert!(matches!(link, Err(Error::UserNotFound)), "{link:?}");
        assert!(matches!(given, Err(Error::UserNotFound)), "{given:?}");
        assert_eq!(bed.mailed().await, []);
        let rights = store::subjects::rights(&mut bed.db.read().await.unwrap(), ada.id).await.unwrap();
        assert!(rights.is_none());
    }

    async fn m3_a_reset_logs_nobody_in_ends_sessions_and_tells_the_owner(db: Db) {
        let bed = bed(db).await;
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        bed.who(&tokens).await.unwrap();
        let link = bed.forgotten("ada@example.org").await;
        // It answers nothing: no token, no session.
        let () = bed.auth.reset(&with(&link), &here()).await.unwrap();
        assert_eq!(bed.mailed().await, [("password_changed", "ada@example.org".to_owned())]);
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert_eq!(bed.published.count("auth.session.created"), 1);
        assert_eq!(bed.published.count("auth.password.changed"), 1);
        assert!(matches!(bed.try_log_in("ada@example.org", PASSWORD).await, Err(Error::InvalidCredentials)));
        bed.try_log_in("ada@example.org", NEW).await.unwrap();
        assert!(bed.is_verified(ada.id).await, "whoever has the mail reads the address");
    }

    async fn r9_a_reset_ends_tokens_on_other_nodes_within_their_check(db: Db) {
        let bed = bed(db).await;
        let other = bed.mailing().await;
        let tokens = bed.person("ada@example.org").await;
        other.who(&tokens).await.unwrap();
        let link = bed.forgotten("ada@example.org").await;
        bed.auth.reset(&with(&link), &here()).await.unwrap();
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &here()).await, Err(Error::InvalidGrant)));
        bed.advance(5);
        assert_eq!(other.who(&tokens).await.unwrap_err(), Denied::Invalid);
    }

    async fn m3_whoever_registered_somebody_elses_address_keeps_nothing(db: Db) {
        let bed = bed(db).await;
        let (ada, bob) = (bed.register("ada@example.org").await, bed.admin("bob@example.org").await);
        add_key(&bed, ada.id).await;
        add_key(&bed, bob.id).await;
        for email in ["ada@example.org", "bob@example.org"] {
            let link = bed.forgotten(email).await;
            bed.auth.reset(&with(&link), &here()).await.unwrap();
            bed.mails().await;
        }
        // Bob's address was proved before: his own keys go on.
        assert_eq!(live_keys(&mut bed.db.read().await.unwrap()).await, 1);
    }

    async fn r11_a_one_time_token_is_good_in_its_own_place_only(db: Db) {
        let bed = bed(db).await;
        let setup = bed.auth.setup_token().await.unwrap().unwrap();
        let tokens = bed.person("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        let reset = bed.forgotten("ada@example.org").await;
        bed.auth.resend_verification("ada@example.org".parse().unwrap(), &here()).await.unwrap();
        let verify = bed.token("verify").await;
        let change = crate::EmailChange { new_email: "ada@example.com".parse().unwrap(), password: secret(PASSWORD) };
        bed.auth.change_email(&by, change, &here()).await.unwrap();
        let change = bed.token("verify").await;
        bed.auth.send_password_link(&Principal::operator(), by.user().unwrap(), &here()).await.unwrap();
        let first = bed.token("set_password").await;
        for wrong in [&setup, &verify, &change, &tokens.access_token, &tokens.refresh_token] {
            assert!(bed.is_refused(wrong).await);
        }
        for wrong in [&setup, &reset, &first, &tokens.access_token, &tokens.refresh_token] {
            assert!(matches!(bed.auth.verify_email(wrong, &here()).await, Err(Error::OneTimeTokenInvalid)));
        }
        for wrong in [&reset, &verify, &change, &first] {
            assert!(matches!(set_up(&bed, wrong, "eve@example.org").await, Err(Error::SetupClosed)));
            assert!(matches!(bed.auth.refresh(wrong, &here()).await, Err(Error::InvalidGrant)));
            let as_password = Credentials { login: "ada@example.org".to_owned(), password: wrong.clone() };
            assert!(matches!(bed.auth.login(&as_password, &here()).await, Err(Error::InvalidCredentials)));
        }
        // After all of that each is still good for what it is for.
        bed.auth.verify_email(&verify, &here()).await.unwrap();
        bed.auth.reset(&with(&first), &here()).await.unwrap();
    }

    async fn a_password_link_is_mailed_to_the_owner_and_reaches_nobody_above(db: Db) {
        let bed = bed(db).await;
        let root = bed.admin("root@example.org").await;
        let new = serde_json::from_str(r#"{"email": "new@example.org"}"#).unwrap();
        let made = bed.users.create(&Principal::operator(), new).await.unwrap();
        let (_, clerk) = bed.clerk("clerk", &["auth:users"]).await;
        let above = bed.auth.send_password_link(&clerk, root.id, &here()).await;
        assert!(matches!(above, Err(Error::TargetOutranksCaller)));
        let unknown = bed.auth.send_password_link(&clerk, Id::new(cgcg_core::Clock::now(&bed.clock)), &here()).await;
        assert!(matches!(unknown, Err(Error::UserNotFound)));
        bed.auth.send_password_link(&clerk, made.id, &here()).await.unwrap();
        let mails = bed.mails().await;
        assert_eq!((mails.len(), mails[0].to.as_str()), (1, "new@example.org"));
        assert!(mails[0].text.contains("7 days"));
        bed.auth.reset(&with(&token(&mails[0])), &here()).await.unwrap();
        assert!(bed.is_verified(made.id).await);
        bed.try_log_in("new@example.org", NEW).await.unwrap();
    }

    async fn a_link_of_the_command_line_proves_no_address(db: Db) {
        let bed = bed(db).await;
        let ada = bed.register("ada@example.org").await;
        let by = bed.who(&bed.log_in("ada@example.org").await).await.unwrap();
        let email = "ada@example.org".parse().unwrap();
        assert!(matches!(bed.auth.reset_link(&by, &email).await, Err(Error::ScopeNotHeld)));
        let link = bed.auth.reset_link(&Principal::operator(), &email).await.unwrap();
        let (page, token) = link.expose().split_once('#').unwrap();
        assert_eq!(page, "https://api.example.org/api/v1/auth/pages/reset");
        bed.auth.reset(&with(&secret(token)), &here()).await.unwrap();
        assert!(!bed.is_verified(ada.id).await);
        bed.try_log_in("ada@example.org", NEW).await.unwrap();
    }
}
