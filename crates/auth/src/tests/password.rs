use std::time::Duration;

use cgcg_core::{Conn, Db, Denied, Id, Principal, User, on};
use cgcg_testkit::{both, eventually};

use super::{Bed, PASSWORD, new_account, secret};
use crate::one_time::{OneTimeToken, Purpose};
use crate::{
    AccessToken, Device, EmailVerification, Error, ImportUser, Imported, PasswordChange,
    Reauthentication, Settings, Tokens, store,
};

const OTHER: &str = "another horse battery";
/// passlib, of "correct horse battery".
const BCRYPT: &str = "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq";

/// Whether it has no answer yet.
async fn waits<T>(answer: impl Future<Output = T>) -> bool {
    tokio::select! {
        biased;
        _ = answer => false,
        () = std::future::ready(()) => true,
    }
}

fn change(current: &str, new: &str) -> PasswordChange {
    PasswordChange {
        current_password: secret(current),
        new_password: secret(new),
        keep_other_sessions: false,
    }
}

impl Bed {
    async fn change(&self, tokens: &Tokens, change: PasswordChange) -> Result<AccessToken, Error> {
        let by = self.who(tokens).await.unwrap();
        self.auth
            .change_password(&by, &change, &Device::default())
            .await
    }

    /// Lines of the audit with this action and outcome.
    pub(super) async fn audited(&self, action: &str, outcome: &str) -> i64 {
        let sql = "select count(*) from auth_audit where action = $1 and outcome = $2";
        let mut conn = self.db.read().await.unwrap();
        count(&mut conn, sql, &[action, outcome]).await.unwrap()
    }

    /// An account with a hash that no import would take.
    async fn with_hash(&self, email: &str, hash: &str) {
        let account = self.register(email).await;
        let mut conn = self.db.begin().await.unwrap();
        put(&mut conn, account.id, hash).await.unwrap();
        conn.commit().await.unwrap();
    }
}

async fn count(conn: &mut Conn, sql: &'static str, values: &[&str]) -> sqlx::Result<i64> {
    on!(conn, |c| {
        let mut query = sqlx::query_scalar(sql);
        for value in values {
            query = query.bind(*value);
        }
        query.fetch_one(c).await
    })
}

async fn put(conn: &mut Conn, user: Id<User>, hash: &str) -> sqlx::Result<()> {
    let sql = "update auth_passwords set hash = $2 where user_id = $1";
    on!(conn, |c| {
        sqlx::query(sql).bind(user).bind(hash).execute(c).await?;
    });
    Ok(())
}

both! {
    async fn r9_a_new_password_ends_what_the_old_one_had_opened(db: Db) {
        let bed = Bed::new(db).await;
        let here = bed.person("ada@example.org").await;
        let there = bed.log_in("ada@example.org").await;
        bed.who(&there).await.unwrap();
        let token = bed.change(&here, change(PASSWORD, OTHER)).await.unwrap();
        assert_eq!((token.token_type, token.expires_in, token.scope), ("Bearer", 600, None));
        assert_eq!(bed.who(&here).await.unwrap_err(), Denied::Stale);
        assert_eq!(bed.who(&there).await.unwrap_err(), Denied::Invalid);
        let refreshed = bed.auth.refresh(&there.refresh_token, &Device::default()).await;
        assert!(matches!(refreshed, Err(Error::InvalidGrant)));
        let fresh = Tokens { access_token: token.access_token, ..here.clone() };
        bed.who(&fresh).await.unwrap();
        bed.auth.refresh(&here.refresh_token, &Device::default()).await.unwrap();
        assert!(matches!(bed.try_log_in("ada@example.org", PASSWORD).await, Err(Error::InvalidCredentials)));
        bed.try_log_in("ada@example.org", OTHER).await.unwrap();
        assert_eq!(bed.published.count("auth.password.changed"), 1);
        assert_eq!(bed.audited("password.changed", "success").await, 1);
        assert_eq!(bed.waiting_mail().await, ["password_changed"]);
    }

    async fn other_sessions_stay_where_that_is_asked_for(db: Db) {
        let bed = Bed::new(db).await;
        let here = bed.person("ada@example.org").await;
        let there = bed.log_in("ada@example.org").await;
        let keeping = PasswordChange { keep_other_sessions: true, ..change(PASSWORD, OTHER) };
        bed.change(&here, keeping).await.unwrap();
        assert_eq!(bed.who(&there).await.unwrap_err(), Denied::Stale);
        let there = bed.auth.refresh(&there.refresh_token, &Device::default()).await.unwrap();
        bed.who(&there).await.unwrap();
    }

    async fn only_who_knows_the_old_password_sets_a_new_one(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let wrong = bed.change(&tokens, change("wrong password 1", OTHER)).await;
        assert!(matches!(wrong, Err(Error::WrongPassword)));
        assert_eq!(bed.audited("password.changed", "wrong_password").await, 1);
        for (current, new, expected, code) in [
            (PASSWORD, "short", "new_password", "password_too_short"),
            (PASSWORD, "PASSWORD1234", "new_password", "password_too_common"),
            (PASSWORD, "ada@example.org1", "new_password", "password_too_common"),
            (&"x".repeat(129), OTHER, "current_password", "password_too_long"),
        ] {
            match bed.change(&tokens, change(current, new)).await {
                Err(Error::Invalid { field, invalid }) => assert_eq!((field, invalid.code), (expected, code)),
                other => panic!("{other:?}"),
            }
        }
        assert!(matches!(
            bed.auth.change_password(&Principal::operator(), &change(PASSWORD, OTHER), &Device::default()).await,
            Err(Error::NotAPerson)
        ));
        bed.log_in("ada@example.org").await;
        assert_eq!(bed.published.count("auth.password.changed"), 0);
        assert!(bed.waiting_mail().await.is_empty());
    }

    async fn of_two_changes_at_once_one_wins(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let by = bed.who(&tokens).await.unwrap();
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..4 {
            let (auth, by) = (bed.auth.clone(), by.clone());
            tries.spawn(async move {
                let new = format!("{OTHER} {at}");
                auth.change_password(&by, &change(PASSWORD, &new), &Device::default()).await.map(|_| new)
            });
        }
        let won: Vec<String> = tries.join_all().await.into_iter().filter_map(Result::ok).collect();
        assert_eq!(won.len(), 1);
        bed.try_log_in("ada@example.org", &won[0]).await.unwrap();
    }

    async fn a_login_is_fresh_again_after_the_password_was_typed_once_more(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        bed.advance(300);
        let by = bed.who(&tokens).await.unwrap();
        let before = by.logged_in_at.unwrap();
        let proof = |password| Reauthentication { password: secret(password) };
        let wrong = bed.auth.reauthenticate(&by, &proof("wrong password 1"), &Device::default()).await;
        assert!(matches!(wrong, Err(Error::WrongPassword)));
        let token = bed.auth.reauthenticate(&by, &proof(PASSWORD), &Device::default()).await.unwrap();
        let fresh = Tokens { access_token: token.access_token, ..tokens.clone() };
        let after = bed.who(&fresh).await.unwrap().logged_in_at.unwrap();
        assert_eq!(after.since(before), Duration::from_secs(300));
        // The old token is of the same session, and knows it at once.
        assert_eq!(bed.who(&tokens).await.unwrap().logged_in_at, Some(after));
        assert_eq!(bed.audited("login.reauthenticated", "success").await, 1);
        assert_eq!(bed.audited("login.reauthenticated", "wrong_password").await, 1);
        bed.auth.logout(&by, &Device::default()).await.unwrap();
        let over = bed.auth.reauthenticate(&by, &proof(PASSWORD), &Device::default()).await;
        assert!(matches!(over, Err(Error::InvalidGrant)));
    }

    async fn l3_long_passwords_get_one_answer_whether_the_user_is_known_or_not(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for login in ["ada@example.org", "eve@example.org"] {
            let fits = bed.try_log_in(login, &"x".repeat(73)).await;
            assert!(matches!(fits, Err(Error::InvalidCredentials)), "{login}");
            for size in [129, 1 << 10, 1 << 20] {
                let refusal = bed.try_log_in(login, &"x".repeat(size)).await.unwrap_err();
                let Error::Invalid { field: "password", invalid } = refusal else {
                    panic!("{login} {size}: {refusal}");
                };
                assert_eq!(invalid.code, "password_too_long");
            }
        }
    }

    async fn l5_a_password_is_one_however_its_accents_are_typed(db: Db) {
        let bed = Bed::new(db).await;
        let (composed, decomposed) = ("Zürich Café niño", "Zu\u{308}rich Cafe\u{301} nin\u{303}o");
        let new = crate::AccountCreate { password: secret(decomposed), ..new_account("ada@example.org") };
        bed.auth.register(new, &Device::default()).await.unwrap();
        bed.try_log_in("ada@example.org", composed).await.unwrap();
        bed.try_log_in("ada@example.org", decomposed).await.unwrap();
    }

    async fn l6_what_is_wrong_with_an_account_shows_only_after_a_right_password(db: Db) {
        let mut settings = Settings::default();
        settings.registration.email_verification = Some(EmailVerification::Required);
        let bed = Bed::new(db.clone()).await;
        let ada = bed.register("ada@example.org").await;
        let asks = Bed::with(db, settings).await;
        let wrong = async || asks.try_log_in("ada@example.org", "wrong password 1").await.unwrap_err();
        assert!(matches!(wrong().await, Error::InvalidCredentials));
        // Not even then, where it would tell that the address was free to register.
        assert!(matches!(asks.try_log_in("ada@example.org", PASSWORD).await, Err(Error::InvalidCredentials)));
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        assert!(matches!(wrong().await, Error::InvalidCredentials));
        assert!(matches!(bed.try_log_in("ada@example.org", PASSWORD).await, Err(Error::AccountDisabled)));
    }

    async fn a_password_that_must_change_gives_a_token_to_change_it_and_no_session(db: Db) {
        let bed = Bed::new(db).await;
        let user: ImportUser = serde_json::from_value(serde_json::json!({
            "email": "ada@example.org", "password_hash": BCRYPT, "must_change": true,
        })).unwrap();
        let made = bed.auth.import(&Principal::operator(), &[user]).await.unwrap();
        let [Imported::Made(id)] = made[..] else { panic!("{made:?}") };
        assert!(matches!(bed.try_log_in("ada@example.org", "wrong password 1").await, Err(Error::InvalidCredentials)));
        let mut tokens = Vec::new();
        for _ in 0..2 {
            match bed.try_log_in("ada@example.org", PASSWORD).await {
                Err(Error::PasswordChangeRequired { reset_token }) => tokens.push(reset_token),
                other => panic!("{other:?}"),
            }
        }
        // A newer one ends the older.
        for (token, good) in tokens.iter().zip([false, true]) {
            let token = OneTimeToken::parse(token.expose(), Purpose::SetPassword).unwrap();
            let row = store::one_time::find(&mut bed.db.read().await.unwrap(), token.id).await.unwrap().unwrap();
            assert_eq!((row.user_id, row.used_at.is_none()), (Some(id), good));
        }
        assert_eq!(bed.published.count("auth.session.created"), 0);
    }

    async fn b6_a_stored_hash_that_nobody_can_check_is_refused_and_audited(db: Db) {
        let bed = Bed::new(db).await;
        let hostile = [
            "$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$argon2id$v=19$m=19456,t=1000000,p=1$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "$2b$31$Xvisetbi9C1WMSMe99nUQubsvGpDIzZq/mb.CqyaE2aV4fhxeWw5C",
            "$pbkdf2-sha256$1000000000$c29tZXNhbHQ$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
            "éééééééééééééééééééééééééééééé",
            "$argon2id$v=19$m=19456,t=2,p=1$c29t",
            "",
        ];
        for (at, hash) in hostile.iter().enumerate() {
            let email = format!("ada{at}@example.org");
            bed.with_hash(&email, hash).await;
            assert!(matches!(bed.try_log_in(&email, PASSWORD).await, Err(Error::InvalidCredentials)), "{hash}");
        }
        assert_eq!(bed.audited("password.checked", "hash_unusable").await, 7);
    }

    async fn l2_a_refused_login_waits_for_its_time_and_a_good_one_does_not(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        // On a clock that stands still, hashing takes no time.
        bed.auth.time_hashes().await.unwrap();
        assert!(bed.try_log_in("eve@example.org", PASSWORD).await.is_err());
        bed.auth.set_pace(Duration::from_millis(309));
        bed.log_in("ada@example.org").await;
        for (login, password) in [("eve@example.org", PASSWORD), ("ada@example.org", "wrong password 1"), ("", "")] {
            let refused = bed.try_log_in(login, password);
            tokio::pin!(refused);
            // Who waits for a hash sleeps as well, until its result is looked at.
            eventually("it waits for its time", async || {
                let still = waits(refused.as_mut()).await && !bed.auth.hashes();
                still && waits(refused.as_mut()).await && bed.clock.sleepers() == 1
            })
            .await;
            bed.clock.advance(Duration::from_millis(350));
            assert!(waits(refused.as_mut()).await, "it ends where its step does");
            bed.clock.advance(Duration::from_millis(50));
            assert!(matches!(refused.await, Err(Error::InvalidCredentials)));
        }
    }
}
