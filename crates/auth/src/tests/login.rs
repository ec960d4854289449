use cgcg_core::{Db, Denied, Principal, Span};
use cgcg_testkit::both;

use super::{Bed, PASSWORD, new_account, secret};
use crate::{
    Credentials, Device, Error, Registration, RegistrationPolicy, Sessions, Settings, store,
};

both! {
    async fn who_registers_logs_in_and_has_what_every_person_may_do(db: Db) {
        let bed = Bed::new(db).await;
        let account = bed.register("Ada@Example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        let principal = bed.who(&tokens).await.unwrap();
        assert_eq!(principal.user(), Some(account.id));
        assert!(principal.grants.allow("tasks:read") && !principal.grants.allow("users:write"));
        assert_eq!((tokens.token_type, tokens.expires_in, tokens.scope), ("Bearer", 600, None));
        assert_eq!(bed.published.count("auth.session.created"), 1);
    }

    async fn l1_a_refusal_does_not_tell_which_accounts_exist(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let bob = bed.register("bob@example.org").await;
        bed.users.disable(&Principal::operator(), bob.id).await.unwrap();
        let pairs = [
            ("ada@example.org", "wrong password 1"),
            ("eve@example.org", PASSWORD),
            ("eve", PASSWORD),
            ("bob@example.org", "wrong password 1"),
            ("not a login @", PASSWORD),
            ("", PASSWORD),
            ("ada@example.org", ""),
        ];
        let mut texts = Vec::new();
        for (login, password) in pairs {
            let refusal = bed.try_log_in(login, password).await.unwrap_err();
            assert!(matches!(refusal, Error::InvalidCredentials), "{login}: {refusal}");
            texts.push(refusal.to_string());
        }
        texts.dedup();
        assert_eq!(texts.len(), 1);
    }

    async fn l6_that_an_account_is_disabled_shows_only_after_the_right_password(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        let wrong = bed.try_log_in("ada@example.org", "wrong password 1").await;
        assert!(matches!(wrong, Err(Error::InvalidCredentials)));
        let right = bed.try_log_in("ada@example.org", PASSWORD).await;
        assert!(matches!(right, Err(Error::AccountDisabled)));
        bed.users.enable(&Principal::operator(), ada.id).await.unwrap();
        bed.log_in("ada@example.org").await;
    }

    async fn l3_a_password_that_is_too_long_is_refused_before_any_work(db: Db) {
        let bed = Bed::new(db).await;
        for login in ["ada@example.org", "nobody"] {
            let outcome = bed.try_log_in(login, &"x".repeat(129)).await;
            assert!(matches!(outcome, Err(Error::Invalid { field: "password", .. })));
        }
    }

    async fn the_fifty_first_session_ends_the_oldest(db: Db) {
        let sessions = Sessions { max_per_user: 2, ..Sessions::default() };
        let bed = Bed::with(db, Settings { sessions, ..Settings::default() }).await;
        let first = bed.person("ada@example.org").await;
        bed.who(&first).await.unwrap();
        bed.advance(1);
        let second = bed.log_in("ada@example.org").await;
        bed.advance(1);
        let third = bed.log_in("ada@example.org").await;
        assert_eq!(bed.who(&first).await.unwrap_err(), Denied::Invalid);
        bed.who(&second).await.unwrap();
        bed.who(&third).await.unwrap();
    }

    async fn t1_a_narrowed_login_stays_narrow_through_refreshes(db: Db) {
        let bed = Bed::new(db).await;
        bed.admin("ada@example.org").await;
        let credentials = Credentials { login: "ada@example.org".to_owned(), password: secret(PASSWORD) };
        let log_in = async |scope: &str| bed.auth.login_narrowed(&credentials, Some(scope), &Device::default()).await;
        let tokens = log_in("tasks:read unknown:one").await.unwrap();
        assert_eq!(tokens.scope.as_deref(), Some("tasks:read unknown:one"));
        let tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        let principal = bed.who(&tokens).await.unwrap();
        assert!(principal.grants.allow("tasks:read") && !principal.grants.allow("users:write"));
        assert!(matches!(log_in("tasks:read \"").await, Err(Error::InvalidScope)));
        assert_eq!(log_in("").await.unwrap().scope, None);
    }

    async fn a_scope_that_the_account_lacks_is_left_out(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let credentials = Credentials { login: "ada@example.org".to_owned(), password: secret(PASSWORD) };
        let log_in = async |scope: &str| bed.auth.login_narrowed(&credentials, Some(scope), &Device::default()).await;
        assert_eq!(log_in("tasks:read users:write").await.unwrap().scope.as_deref(), Some("tasks:read"));
        assert!(matches!(log_in("users:write").await, Err(Error::InvalidScope)));
    }

    async fn nobody_registers_where_the_settings_forbid_it(db: Db) {
        let policy = |policy| Settings {
            registration: Registration { policy, domains: vec!["example.org".to_owned()], ..Registration::default() },
            ..Settings::default()
        };
        let open = Bed::with(db.clone(), policy(RegistrationPolicy::Open)).await;
        open.register("ada@EXAMPLE.org").await;
        let refused = open.auth.register(new_account("ada@example.com"), &Device::default()).await;
        assert!(matches!(refused, Err(Error::EmailDomainRefused)));
        let taken = open.auth.register(new_account("ADA@example.org"), &Device::default()).await;
        assert!(matches!(taken, Err(Error::EmailTaken)));
        let invite = Bed::with(db.clone(), policy(RegistrationPolicy::Invite)).await;
        assert!(matches!(invite.auth.register(new_account("b@example.org"), &Device::default()).await, Err(Error::InviteRequired)));
        let closed = Bed::with(db, policy(RegistrationPolicy::Closed)).await;
        assert!(matches!(closed.auth.register(new_account("b@example.org"), &Device::default()).await, Err(Error::RegistrationClosed)));
    }

    async fn a_weak_password_and_a_hidden_name_are_refused_by_field(db: Db) {
        let bed = Bed::new(db).await;
        let short = crate::AccountCreate { password: secret("short"), ..new_account("a@example.org") };
        assert!(matches!(bed.auth.register(short, &Device::default()).await, Err(Error::Invalid { field: "password", .. })));
        for name in ["", "a\r\nb", "a\u{202e}b", &"x".repeat(101)] {
            let named = crate::AccountCreate { display_name: Some(name.to_owned()), ..new_account("a@example.org") };
            let outcome = bed.auth.register(named, &Device::default()).await;
            assert!(matches!(outcome, Err(Error::Invalid { field: "display_name", .. })), "{name:?}");
        }
    }

    async fn a_weaker_hash_is_replaced_at_the_next_login(db: Db) {
        let bed = Bed::new(db.clone()).await;
        let ada = bed.register("ada@example.org").await;
        let mut settings = Settings::default();
        settings.passwords.argon2.passes = 3;
        let stronger = Bed::with(db, settings).await;
        stronger.log_in("ada@example.org").await;
        let hash = store::passwords::known(&mut bed.db.read().await.unwrap(), ada.id).await.unwrap().unwrap();
        assert!(hash.hash.contains("t=3"));
        stronger.log_in("ada@example.org").await;
    }

    async fn a_password_that_changes_while_it_is_hashed_opens_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let mut change = bed.db.begin().await.unwrap();
        let known = store::passwords::known(&mut change, ada.id).await.unwrap().unwrap();
        store::subjects::raise_epoch(&mut change, ada.id).await.unwrap();
        store::passwords::rehash(&mut change, ada.id, &known.hash, "another").await.unwrap();

        let node = bed.auth.clone();
        let credentials = Credentials { login: "ada@example.org".to_owned(), password: secret(PASSWORD) };
        let login = tokio::spawn(async move { node.login(&credentials, &Device::default()).await });
        // A refused login would wait for the row too.
        bed.a_while().await;
        change.commit().await.unwrap();
        assert!(matches!(login.await.unwrap(), Err(Error::InvalidCredentials)));
    }
}

#[test]
fn settings_that_contradict_themselves_are_named() {
    let mut settings = Settings::default();
    assert!(settings.validate().is_empty());
    settings.sessions.idle = Span::days(91);
    settings.tokens.access_ttl = Span::minutes(61);
    settings.passwords.min = 7;
    settings.roles.default = vec!["admin".to_owned()];
    let keys: Vec<_> = settings
        .validate()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(
        keys,
        [
            "tokens.access_ttl",
            "sessions.idle",
            "roles.default",
            "passwords.min"
        ]
    );
}
