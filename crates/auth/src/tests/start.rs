use cgcg_core::{Authenticator, Credential, Db, Denied, ScopeInfo};
use cgcg_testkit::{TestClock, both};

use super::{Bed, CATALOGUE};
use crate::{Error, MIGRATIONS, Settings, store};

async fn migrate(db: &Db) {
    cgcg_core::MIGRATIONS.run(db).await.unwrap();
    cgcg_users::MIGRATIONS.run(db).await.unwrap();
    MIGRATIONS.run(db).await.unwrap();
}

both! {
    async fn nobody_is_let_in_before_the_service_is_open(db: Db) {
        migrate(&db).await;
        let bed = Bed::unopened(db, TestClock::default(), Settings::default(), 7);
        let outcome = bed.auth.authenticate(Credential::Bearer("x.y.z")).await;
        assert_eq!(outcome.unwrap_err(), Denied::Unavailable);
        assert!(matches!(bed.auth.jwks(), Err(Error::NotOpen)));
        assert!(matches!(bed.try_log_in("ada@example.org", "x").await, Err(Error::NotOpen)));
    }

    async fn nodes_that_start_together_share_one_key_and_trust_each_other(db: Db) {
        migrate(&db).await;
        let mut starts = tokio::task::JoinSet::new();
        let clock = TestClock::default();
        for _ in 0..8 {
            let bed = Bed::unopened(db.clone(), clock.clone(), Settings::default(), 7);
            starts.spawn(async move {
                bed.auth.open(CATALOGUE).await.unwrap();
                bed
            });
        }
        let beds = starts.join_all().await;
        let first = beds[0].auth.jwks().unwrap();
        // The one that signs and the next.
        assert_eq!(first["keys"].as_array().unwrap().len(), 2);
        let tokens = beds[0].person("ada@example.org").await;
        for bed in &beds {
            assert_eq!(bed.auth.jwks().unwrap(), first);
            bed.who(&tokens).await.unwrap();
        }
    }

    async fn o2_another_master_key_is_refused_in_clear_words(db: Db) {
        let bed = Bed::new(db).await;
        let stranger = Bed::unopened(bed.db.clone(), bed.clock.clone(), Settings::default(), 8);
        let refusal = stranger.auth.open(CATALOGUE).await.unwrap_err();
        assert!(matches!(refusal, Error::WrongKey { .. }));
        assert!(refusal.to_string().contains("another master key"));
    }

    async fn the_role_of_every_person_follows_the_catalogue(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        assert!(!bed.who(&tokens).await.unwrap().grants.allow("notes:read"));
        // A newer build: one scope more, one no longer for everybody, and one feature left out.
        let newer = [
            ScopeInfo { name: "notes:read", about: "", roles: &["user"] },
            ScopeInfo { name: "users:write", about: "", roles: &["user"] },
        ];
        bed.auth.open(&newer).await.unwrap();
        let mut scopes = store::roles::scopes(&mut bed.db.read().await.unwrap(), "user").await.unwrap();
        scopes.sort();
        assert_eq!(scopes, ["notes:read", "tasks:read", "users:write"]);
        bed.auth.open(CATALOGUE).await.unwrap();
        let mut scopes = store::roles::scopes(&mut bed.db.read().await.unwrap(), "user").await.unwrap();
        scopes.sort();
        assert_eq!(scopes, ["notes:read", "tasks:read"]);
    }

    async fn a_default_role_that_is_not_there_stops_the_start(db: Db) {
        migrate(&db).await;
        let mut settings = Settings::default();
        settings.roles.default.push("editor".to_owned());
        let bed = Bed::unopened(db, TestClock::default(), settings, 7);
        assert!(matches!(bed.auth.open(CATALOGUE).await, Err(Error::Settings(_))));
    }
}
