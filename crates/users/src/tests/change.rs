use cgcg_core::{AccountChange, AccountStatus, ApiKey, Db, Id, Principal, Proof, Size, Subject};
use cgcg_testkit::both;
use serde_json::json;
use std::time::Duration;
use tokio::task::JoinSet;

use super::{Bed, new, root};
use crate::{Error, JsonObject, MeUpdate, Settings, UserId, UserUpdate, Usernames};

both! {
    async fn an_account_comes_back_as_it_was_stored(db: Db) {
        let bed = Bed::new(db).await;
        let mut ada = new("Ada@example.org", Some("ada"));
        ada.display_name = Some("Ada Lovelace".parse().unwrap());
        ada.locale = Some("en-GB".parse().unwrap());
        let ada = bed.users.create(&root(), ada).await.unwrap();
        assert_eq!(bed.users.get(ada.id).await.unwrap(), ada);
        assert_eq!((ada.version, ada.status, ada.email_verified_at), (1, AccountStatus::Active, None));
        assert_eq!((ada.profile.as_str(), ada.app_data.as_str()), ("{}", "{}"));
        assert_eq!(bed.published.0.lock().unwrap()[0].1, json!({ "user_id": ada.id }));
    }

    async fn what_is_absent_stays_and_null_clears(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create_named("ada").await;
        bed.clock.advance(Duration::from_secs(60));
        let first = update(json!({ "display_name": "Ada", "profile": { "theme": { "dark": true } } }));
        let first = bed.users.update(&root(), ada.id, first, None).await.unwrap();
        assert_eq!(first.base.username.as_deref(), Some("ada"));
        assert_eq!((first.version, first.updated_at > ada.updated_at), (2, true));

        let second = bed.users.update(&root(), ada.id, update(json!({ "username": null })), None).await.unwrap();
        assert_eq!((second.base.username, second.base.display_name.as_deref()), (None, Some("Ada")));
        assert_eq!(second.profile, object(json!({ "theme": { "dark": true } })));
        assert_eq!(bed.users.get(ada.id).await.unwrap().version, 3);
    }

    async fn a_change_to_what_is_there_already_changes_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create_named("ada").await;
        let profile = json!({ "b": 1, "a": [1, 2] });
        let ada = bed.users.update(&root(), ada.id, update(json!({ "profile": profile })), None).await.unwrap();
        let same = update(json!({ "email": "ada@example.org", "username": "ada", "profile": profile }));
        assert_eq!(bed.users.update(&root(), ada.id, same, None).await.unwrap(), ada);
        assert_eq!(bed.users.get(ada.id).await.unwrap(), ada);
        assert_eq!(bed.published.topics(), ["users.created", "users.updated"]);
    }

    async fn of_twenty_that_read_one_version_one_changes_it(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        let mut writers = JoinSet::new();
        for writer in 0..20 {
            let (users, change) = (bed.users.clone(), update(json!({ "display_name": format!("{writer}") })));
            writers.spawn(async move { users.update(&root(), ada.id, change, Some(1)).await });
        }
        let answers = writers.join_all().await;
        let lost = answers.iter().filter(|answer| matches!(answer, Err(Error::VersionMismatch))).count();
        assert_eq!((lost, answers.iter().filter(|answer| answer.is_ok()).count()), (19, 1));
        assert_eq!(bed.users.get(ada.id).await.unwrap().version, 2);
    }

    async fn changes_without_a_version_are_all_kept(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        let mut writers = JoinSet::new();
        for change in [json!({ "locale": "de" }), json!({ "display_name": "Ada" }), json!({ "username": "ada" })] {
            let users = bed.users.clone();
            writers.spawn(async move { users.update(&root(), ada.id, update(change), None).await.unwrap() });
        }
        writers.join_all().await;
        let ada = bed.users.get(ada.id).await.unwrap();
        let base = (ada.base.locale.as_deref(), ada.base.display_name.as_deref(), ada.base.username.as_deref());
        assert_eq!((ada.version, base), (4, (Some("de"), Some("Ada"), Some("ada"))));
    }

    async fn a_taken_name_is_told_apart_from_a_taken_address(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_named("ada").await;
        let grace = bed.create_named("grace").await;
        let name = bed.users.update(&root(), grace.id, update(json!({ "username": "ada" })), None).await;
        assert!(matches!(name, Err(Error::UsernameTaken)), "{name:?}");
        let email = bed.users.update(&root(), grace.id, update(json!({ "email": "ADA@example.org" })), None).await;
        assert!(matches!(email, Err(Error::EmailTaken)), "{email:?}");
        let both = update(json!({ "email": "new@example.org", "username": "ada" }));
        let both = bed.users.update(&root(), grace.id, both, None).await;
        assert!(matches!(both, Err(Error::UsernameTaken)), "{both:?}");
        assert_eq!(bed.users.get(grace.id).await.unwrap(), grace);
        let (email, name) = (new("Ada@example.org", None), new("x@example.org", Some("ada")));
        assert!(matches!(bed.users.create(&root(), email).await, Err(Error::EmailTaken)));
        assert!(matches!(bed.users.create(&root(), name).await, Err(Error::UsernameTaken)));
    }

    async fn another_spelling_of_ones_own_address_is_not_taken(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        let ada = bed.users.update(&root(), ada.id, update(json!({ "email": "Ada@example.org" })), None).await.unwrap();
        assert_eq!(ada.base.email, "Ada@example.org");
        assert_eq!(bed.observer.asked(), [AccountChange::EmailChanged]);
    }

    async fn an_observer_is_asked_before_each_change_of_the_row(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        bed.users.disable(&root(), ada.id).await.unwrap();
        bed.users.disable(&root(), ada.id).await.unwrap();
        bed.users.enable(&root(), ada.id).await.unwrap();
        bed.users.enable(&root(), ada.id).await.unwrap();
        bed.users.update(&root(), ada.id, update(json!({ "email": "new@example.org" })), None).await.unwrap();
        bed.users.update(&root(), ada.id, update(json!({ "locale": "de" })), None).await.unwrap();
        bed.users.remove(&root(), ada.id).await.unwrap();
        let asked = bed.observer.asked.lock().unwrap().clone();
        let row = |status, email: &str| (status, email.to_owned());
        let (active, disabled) = (AccountStatus::Active, AccountStatus::Disabled);
        assert_eq!(asked.iter().map(|(change, ..)| *change).collect::<Vec<_>>(), [
            // The second time it may open what failed logins have closed.
            AccountChange::Disabled, AccountChange::Enabled, AccountChange::Enabled, AccountChange::EmailChanged, AccountChange::Deleted,
        ]);
        assert_eq!(asked.into_iter().map(|(_, status, email)| (status, email)).collect::<Vec<_>>(), [
            row(active, "ada@example.org"), row(disabled, "ada@example.org"), row(active, "ada@example.org"),
            row(active, "ada@example.org"), row(active, "new@example.org"),
        ]);
        assert_eq!(bed.published.topics(), [
            "users.created", "users.disabled", "users.enabled", "users.updated", "users.updated", "users.deleted",
        ]);
    }

    async fn a_refusal_leaves_nothing_changed_and_nothing_published(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        bed.observer.refuse("last_admin");
        let email = update(json!({ "email": "new@example.org", "locale": "de" }));
        let answers = [
            bed.users.disable(&root(), ada.id).await.map(drop),
            bed.users.remove(&root(), ada.id).await,
            bed.users.update(&root(), ada.id, email, None).await.map(drop),
        ];
        for answer in answers {
            assert!(matches!(answer, Err(Error::Refused { code: "last_admin" })), "{answer:?}");
        }
        assert_eq!(bed.users.get(ada.id).await.unwrap(), ada);
        assert_eq!(bed.published.topics(), ["users.created"]);
    }

    async fn a_deleted_account_is_gone_and_its_names_are_free(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create_named("ada").await;
        bed.users.remove(&root(), ada.id).await.unwrap();
        assert!(matches!(bed.users.get(ada.id).await, Err(Error::NotFound)));
        assert!(matches!(bed.users.remove(&root(), ada.id).await, Err(Error::NotFound)));
        assert!(matches!(bed.users.enable(&root(), ada.id).await, Err(Error::NotFound)));
        let change = bed.users.update(&root(), ada.id, UserUpdate::default(), None).await;
        assert!(matches!(change, Err(Error::NotFound)));
        assert_ne!(bed.create_named("ada").await.id, ada.id);
    }

    async fn only_people_change_me(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        let change = || MeUpdate { locale: Some(Some("de".parse().unwrap())), ..MeUpdate::default() };
        let person = person(ada.id);
        assert_eq!(bed.users.update_me(&person, change(), Some(1)).await.unwrap().version, 2);
        let key = Principal { proof: Proof::ApiKey(Id::<ApiKey>::new(ada.created_at)), ..person.clone() };
        let machine = Principal { subject: Subject::Service(Id::new(ada.created_at)), ..person };
        for caller in [key, machine, root()] {
            let refused = bed.users.update_me(&caller, change(), None).await;
            assert!(matches!(refused, Err(Error::PersonRequired)), "{refused:?}");
        }
    }

    async fn settings_bound_what_an_account_holds(db: Db) {
        let settings = Settings { usernames: Usernames::Off, profile_bytes: Size::kib(1) };
        let bed = Bed::with(db, settings).await;
        let ada = bed.create("ada@example.org").await;
        let text = "x".repeat(1_024 - r#"{"a":""}"#.len());
        let fits = update(json!({ "profile": { "a": text } }));
        bed.users.update(&root(), ada.id, fits, None).await.unwrap();
        let cases = [
            ("profile", "too_large", json!({ "profile": { "a": format!("{text}x") } })),
            ("app_data", "too_large", json!({ "app_data": { "a": format!("{text}x") } })),
            ("username", "usernames_off", json!({ "username": "ada" })),
        ];
        for (at, code, change) in cases {
            match bed.users.update(&root(), ada.id, update(change), None).await {
                Err(Error::Invalid { field, invalid }) => assert_eq!((field, invalid.code), (at, code)),
                other => panic!("{other:?}"),
            }
        }
        let named = bed.users.create(&root(), new("grace@example.org", Some("grace"))).await;
        assert!(matches!(named, Err(Error::Invalid { field: "username", .. })));
    }

    async fn every_text_that_is_accepted_comes_back(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        let profile = json!({
            "emoji": "👩‍💻", "escapes": "\u{1}\"\\\u{2028}", "": null, "int": i64::MIN, "big": u64::MAX,
            "small": 1.5e-9, "deep": [[[{ "a": [] }]]], "zero": 0.0, "key\u{7f}": true, "float": 0.1,
        });
        let change = update(json!({ "display_name": "क्‍ष ‏אבא O'Neil; drop table users", "profile": profile }));
        let stored = bed.users.update(&root(), ada.id, change, None).await.unwrap();
        let read = bed.users.get(ada.id).await.unwrap();
        assert_eq!(read, stored);
        assert_eq!(read.profile, object(profile));
    }
}

fn update(json: serde_json::Value) -> UserUpdate {
    serde_json::from_value(json).unwrap()
}

fn object(json: serde_json::Value) -> JsonObject {
    serde_json::from_value(json).unwrap()
}

fn person(id: UserId) -> Principal {
    Principal {
        subject: Subject::User(id),
        proof: Proof::StaticToken,
        ..root()
    }
}
