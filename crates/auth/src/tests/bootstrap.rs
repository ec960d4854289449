use cgcg_core::{Db, Principal, Secret};
use cgcg_testkit::both;

use super::audit::audit_of;
use super::{Bed, PASSWORD, secret};
use crate::{Bootstrap, Device, Error, PasswordReset, Settings};

const EMAIL: &str = "root@example.org";
/// passlib, of [`PASSWORD`].
const BCRYPT: &str = "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq";

fn settings(bootstrap: Bootstrap) -> Settings {
    Settings {
        bootstrap: Bootstrap {
            admin_email: Some(EMAIL.parse().unwrap()),
            ..bootstrap
        },
        ..Settings::default()
    }
}

fn by_password(password: &str) -> Settings {
    settings(Bootstrap {
        admin_password: Some(secret(password)),
        ..Bootstrap::default()
    })
}

fn by_hash(hash: &str) -> Settings {
    settings(Bootstrap {
        admin_password_hash: Some(secret(hash)),
        ..Bootstrap::default()
    })
}

impl Bed {
    /// Logs in where that asks for another password, and sets it.
    async fn replaces(&self, password: &str, new: &str) {
        let refusal = self.try_log_in(EMAIL, password).await.unwrap_err();
        let Error::PasswordChangeRequired { reset_token } = refusal else {
            panic!("{refusal}")
        };
        let new = PasswordReset {
            token: Secret::new(reset_token.expose().clone()),
            new_password: secret(new),
        };
        self.auth.reset(&new, &Device::default()).await.unwrap();
    }
}

both! {
    async fn the_administrator_of_the_settings_is_made_once_and_sets_another_password(db: Db) {
        let bed = Bed::with(db, by_password(PASSWORD)).await;
        let made = bed.auth.bootstrap().await.unwrap().unwrap();
        assert_eq!(made.email.as_str(), EMAIL);
        assert!(bed.is_verified(made.id).await);
        assert!(bed.auth.setup_token().await.unwrap().is_none());
        bed.replaces(PASSWORD, "staple of correct horses").await;
        let tokens = bed.try_log_in(EMAIL, "staple of correct horses").await.unwrap();
        assert!(bed.who(&tokens).await.unwrap().grants.allow("users:write"));
        let line = &audit_of(&bed, "setup").await[0];
        assert_eq!((line.subject_id, line.actor_id), (Some(made.id.uuid()), Some(Principal::operator().subject.uuid())));
        // A start of another day: the settings are still there.
        assert!(bed.second().await.auth.bootstrap().await.unwrap().is_none());
        bed.try_log_in(EMAIL, "staple of correct horses").await.unwrap();
    }

    async fn a_hash_of_another_system_makes_the_administrator_too(db: Db) {
        let bed = Bed::with(db, by_hash(BCRYPT)).await;
        bed.auth.bootstrap().await.unwrap().unwrap();
        bed.replaces(PASSWORD, "staple of correct horses").await;
        bed.try_log_in(EMAIL, "staple of correct horses").await.unwrap();
    }

    async fn a_password_that_may_stay_opens_at_once(db: Db) {
        let mut settings = by_hash(BCRYPT);
        settings.bootstrap.must_change = false;
        let bed = Bed::with(db, settings).await;
        bed.auth.bootstrap().await.unwrap().unwrap();
        bed.log_in(EMAIL).await;
    }

    async fn o1_nodes_that_start_at_once_make_one_administrator(db: Db) {
        let bed = Bed::with(db, by_password(PASSWORD)).await;
        let mut starts = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let node = bed.second().await;
            starts.spawn(async move { node.auth.bootstrap().await });
        }
        let made = starts.join_all().await;
        assert_eq!(made.iter().filter(|made| matches!(made, Ok(Some(_)))).count(), 1, "{made:?}");
        assert!(made.iter().all(|made| matches!(made, Ok(_) | Err(Error::Overloaded))), "{made:?}");
    }

    async fn whoever_has_the_address_already_is_not_made_an_administrator(db: Db) {
        let bed = Bed::with(db, by_password(PASSWORD)).await;
        let squatter = bed.register(EMAIL).await;
        let refusal = bed.auth.bootstrap().await.unwrap_err().to_string();
        assert!(refusal.contains("bootstrap.admin_email"), "{refusal}");
        let roles = bed.auth.user_roles(&Principal::operator(), squatter.id).await.unwrap();
        assert_eq!(roles.roles, ["user"]);
        assert!(bed.auth.setup_token().await.unwrap().is_some());
    }

    async fn a_password_that_nobody_may_have_is_no_administrators(db: Db) {
        for (settings, key) in [
            (by_password("short"), "bootstrap.admin_password:"),
            (by_password("password1234"), "bootstrap.admin_password:"),
            (by_hash("$2b$31$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq"), "bootstrap.admin_password_hash:"),
            (by_hash("plain"), "bootstrap.admin_password_hash:"),
        ] {
            let bed = Bed::with(db.clone(), settings).await;
            let refusal = bed.auth.bootstrap().await.unwrap_err().to_string();
            assert!(refusal.contains(key) && !refusal.contains("short") && !refusal.contains("plain"), "{refusal}");
            assert!(bed.auth.setup_token().await.unwrap().is_some());
        }
    }
}

#[test]
fn an_administrator_of_the_settings_has_an_address_and_one_password() {
    let keys = |settings: Settings| settings.validate().len();
    assert_eq!(keys(by_password(PASSWORD)), 0);
    assert_eq!(keys(settings(Bootstrap::default())), 1);
    let mut twice = by_password(PASSWORD);
    twice.bootstrap.admin_password_hash = Some(secret(BCRYPT));
    assert_eq!(keys(twice.clone()), 1);
    twice.bootstrap.admin_email = None;
    assert_eq!(keys(twice.clone()), 1);
    let shown = format!("{twice:?}");
    assert!(
        !shown.contains(PASSWORD) && !shown.contains(BCRYPT),
        "{shown}"
    );
}
