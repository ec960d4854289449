use cgcg_core::{Authenticator, Db, Denied, PageRequest, Principal, Proof, Subject};
use cgcg_testkit::both;
use tokio::task::JoinSet;

use super::rights::new_key;
use super::{Bed, PASSWORD, secret};
use crate::{Device, Error, api_key};

both! {
    async fn a_key_acts_for_its_owner_within_its_scopes(db: Db) {
        let bed = Bed::new(db).await;
        let (id, ada) = bed.clerk("ada", &["users:write"]).await;
        let key = bed.key(&ada, &["tasks:read"]).await;
        let principal = bed.who_has(&key).await.unwrap();
        assert_eq!((principal.subject, principal.proof), (Subject::User(id), Proof::ApiKey(key.api_key.id)));
        assert!(principal.grants.allow("tasks:read") && !principal.grants.allow("users:write"));
        assert_eq!((principal.logged_in_at, principal.factors), (None, 0));
        assert_eq!(Some(principal.valid_until), key.api_key.expires_at);
        assert!(bed.auth.still_valid(&principal).await);
        bed.auth.revoke_api_key(&ada, key.api_key.id, &Device::default()).await.unwrap();
        assert!(!bed.auth.still_valid(&principal).await);
    }

    async fn k1_a_bad_checksum_costs_no_read(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let key = bed.key(&ada, &["tasks:read"]).await;
        let stranger = api_key::generate().unwrap();
        assert_eq!(bed.who_shows(stranger.expose()).await.unwrap_err(), Denied::Invalid);
        bed.db.close().await;
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Unavailable, "this one is looked up");
        let mut wrong = key.key.expose().clone();
        wrong.replace_range(6..7, if &wrong[6..7] == "a" { "b" } else { "a" });
        for text in [wrong.as_str(), "cgk1_", "cgk1_short", &"cgk1_x".repeat(1_000)] {
            assert_eq!(bed.who_shows(text).await.unwrap_err(), Denied::Invalid);
        }
    }

    async fn k2_a_key_is_shown_once_and_stored_nowhere(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let key = bed.key(&ada, &["tasks:read"]).await;
        let text = key.key.expose();
        assert_eq!(key.api_key.hint, text[5..9]);
        assert!(!format!("{key:?}").contains(text.as_str()));
        assert!(serde_json::to_string(&key).unwrap().contains(text.as_str()));
        let listed = bed.auth.api_keys(&ada, PageRequest::default()).await.unwrap();
        assert_eq!(listed.items, std::slice::from_ref(&key.api_key));
        assert!(!serde_json::to_string(&listed).unwrap().contains(text.as_str()));
        assert_eq!(bed.auth.api_key(&ada, key.api_key.id).await.unwrap(), key.api_key);
    }

    async fn k3_a_key_ends_with_its_time_a_revoke_or_its_owner(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let ada = bed.register("ada@example.org").await;
        let by = bed.who(&bed.log_in("ada@example.org").await).await.unwrap();
        let (revoked, disabled) = (bed.key(&by, &["tasks:read"]).await, bed.key(&by, &["tasks:read"]).await);
        for key in [&revoked, &disabled] {
            bed.who_has(key).await.unwrap();
            other.who_has(key).await.unwrap();
        }
        bed.auth.revoke_api_key(&by, revoked.api_key.id, &Device::default()).await.unwrap();
        assert_eq!(bed.who_has(&revoked).await.unwrap_err(), Denied::Invalid);
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        assert_eq!(bed.who_has(&disabled).await.unwrap_err(), Denied::Invalid);
        bed.advance(5);
        for key in [&revoked, &disabled] {
            assert_eq!(other.who_has(key).await.unwrap_err(), Denied::Invalid);
        }
        bed.users.enable(&Principal::operator(), ada.id).await.unwrap();
        assert_eq!(bed.who_has(&disabled).await.unwrap_err(), Denied::Invalid, "ended for good");

        let by = bed.who(&bed.log_in("ada@example.org").await).await.unwrap();
        let expired = bed.key(&by, &["tasks:read"]).await;
        bed.advance(90 * 86_400 - 1);
        bed.who_has(&expired).await.unwrap();
        bed.advance(1);
        assert_eq!(bed.who_has(&expired).await.unwrap_err(), Denied::Expired);
    }

    async fn k3_no_key_slips_in_while_its_owner_is_disabled(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let by = bed.who(&bed.log_in("ada@example.org").await).await.unwrap();
        let mut makers = JoinSet::new();
        for _ in 0..10 {
            let (auth, by) = (bed.auth.clone(), by.clone());
            makers.spawn(async move { auth.create_api_key(&by, new_key(&["tasks:read"]), &Device::default()).await });
        }
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        let made = makers.join_all().await;
        bed.users.enable(&Principal::operator(), ada.id).await.unwrap();
        for made in made.iter().flatten() {
            assert_eq!(bed.who_has(made).await.unwrap_err(), Denied::Invalid);
        }
    }

    async fn k4_a_key_is_no_person(db: Db) {
        let bed = Bed::new(db).await;
        bed.admin("root@example.org").await;
        let root = bed.who(&bed.log_in("root@example.org").await).await.unwrap();
        let key = bed.key(&root, &["*"]).await;
        let machine = bed.who_has(&key).await.unwrap();
        let device = Device::default();
        assert!(matches!(bed.try_key(&machine, &["*"]).await, Err(Error::NotAPerson)));
        assert!(matches!(bed.auth.api_keys(&machine, PageRequest::default()).await, Err(Error::NotAPerson)));
        assert!(matches!(bed.auth.revoke_api_key(&machine, key.api_key.id, &device).await, Err(Error::NotAPerson)));
        assert!(matches!(bed.auth.logout(&machine, &Device::default()).await, Err(Error::NotAPerson)));
        assert!(matches!(bed.auth.end_sessions(&machine, &Device::default()).await, Err(Error::NotAPerson)));
    }

    async fn k5_once_a_revoke_is_answered_none_of_fifty_uses_passes(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        for _ in 0..3 {
            let key = bed.key(&ada, &["tasks:read"]).await;
            let text = key.key.expose().clone();
            let mut uses = JoinSet::new();
            for _ in 0..50 {
                let (auth, text) = (bed.auth.clone(), text.clone());
                uses.spawn(async move {
                    let shown = cgcg_core::Credential::Bearer(&text);
                    // Until it is over: whatever was read before the revoke must not be kept after it.
                    while auth.authenticate(shown).await.is_ok() {
                        tokio::task::yield_now().await;
                    }
                });
            }
            bed.who_has(&key).await.unwrap();
            bed.auth.revoke_api_key(&ada, key.api_key.id, &Device::default()).await.unwrap();
            assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
            uses.join_all().await;
            assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
        }
    }

    async fn a3_the_key_of_somebody_else_is_the_key_of_nobody(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let eve = bed.who(&bed.person("eve@example.org").await).await.unwrap();
        let key = bed.key(&ada, &["tasks:read"]).await;
        assert!(matches!(bed.auth.api_key(&eve, key.api_key.id).await, Err(Error::ApiKeyNotFound)));
        let revoked = bed.auth.revoke_api_key(&eve, key.api_key.id, &Device::default()).await;
        assert!(matches!(revoked, Err(Error::ApiKeyNotFound)));
        bed.who_has(&key).await.unwrap();
        let robot = bed.machine("robot", &[]).await;
        let operator = Principal::operator();
        assert!(matches!(bed.auth.service_key(&operator, robot.id, key.api_key.id).await, Err(Error::ApiKeyNotFound)));
    }

    async fn r11_an_api_key_is_good_for_nothing_else(db: Db) {
        let bed = Bed::new(db).await;
        let one_time = bed.auth.setup_token().await.unwrap().unwrap();
        let tokens = bed.person("ada@example.org").await;
        let ada = bed.who(&tokens).await.unwrap();
        let key = bed.key(&ada, &["tasks:read"]).await;
        assert!(matches!(bed.auth.refresh(&key.key, &Device::default()).await, Err(Error::InvalidGrant)));
        assert!(matches!(bed.auth.logout_with(&key.key, &Device::default()).await, Err(Error::InvalidGrant)));
        let setup = crate::SetupCreate {
            token: key.key.clone(),
            email: "eve@example.org".parse().unwrap(),
            password: secret(PASSWORD),
            display_name: None,
        };
        assert!(matches!(bed.auth.setup(setup, &Device::default()).await, Err(Error::SetupClosed)));
        for wrong in [tokens.refresh_token.expose(), one_time.expose()] {
            let body = &wrong[5..];
            for text in [wrong.clone(), format!("cgk1_{body}"), format!("cgk1_{}", &body[..33])] {
                assert_eq!(bed.who_shows(&text).await.unwrap_err(), Denied::Invalid);
            }
        }
    }
}
