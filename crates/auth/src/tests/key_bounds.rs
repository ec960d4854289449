use cgcg_core::{Clock, Db, PageRequest, Span, Timestamp};
use cgcg_testkit::both;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::rights::new_key;
use super::{Bed, PASSWORD, secret};
use crate::{ApiKeyCreate, ApiKeys, Device, Error, Settings, store};

fn ends(expires_at: Value) -> ApiKeyCreate {
    let new = json!({"name": "backup", "scopes": ["tasks:read"], "expires_at": expires_at});
    serde_json::from_value(new).unwrap()
}

fn with(api_keys: ApiKeys) -> Settings {
    Settings {
        api_keys,
        ..Settings::default()
    }
}

both! {
    async fn a5_a_key_is_no_more_than_its_owner_and_shrinks_with_it(db: Db) {
        let bed = Bed::new(db).await;
        let (id, ada) = bed.clerk("ada", &["users:write"]).await;
        assert!(matches!(bed.try_key(&ada, &["auth:services"]).await, Err(Error::ScopeNotHeld)));
        assert!(matches!(bed.try_key(&ada, &["*"]).await, Err(Error::ScopeNotHeld)));
        assert!(matches!(bed.try_key(&ada, &["films:cut"]).await, Err(Error::Invalid { field: "scopes", .. })));
        assert!(matches!(bed.try_key(&ada, &[]).await, Err(Error::Invalid { field: "scopes", .. })));
        let key = bed.key(&ada, &["tasks:read", "users:write"]).await;
        assert!(bed.who_has(&key).await.unwrap().grants.allow("users:write"));
        bed.give(id, &["user"]).await;
        let shrunk = bed.who_has(&key).await.unwrap();
        assert!(shrunk.grants.allow("tasks:read") && !shrunk.grants.allow("users:write"));
        bed.give(id, &["user", "ada"]).await;
        assert!(bed.who_has(&key).await.unwrap().grants.allow("users:write"));
    }

    async fn a_narrowed_session_makes_narrow_keys_only(db: Db) {
        let bed = Bed::new(db).await;
        bed.clerk("ada", &["users:write"]).await;
        let credentials = crate::Credentials { login: "ada@example.org".to_owned(), password: secret(PASSWORD) };
        let tokens = bed.auth.login_narrowed(&credentials, Some("tasks:read"), &Device::default()).await.unwrap();
        let narrow = bed.who(&tokens).await.unwrap();
        assert!(matches!(bed.try_key(&narrow, &["users:write"]).await, Err(Error::ScopeNotHeld)));
        bed.key(&narrow, &["tasks:read"]).await;
    }

    async fn the_life_of_a_key_is_bounded(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let now = bed.clock.now();
        let made = bed.key(&ada, &["tasks:read"]).await;
        assert_eq!(made.api_key.expires_at, Some(now + Span::days(90).get()));
        for (asked, code) in [
            (Value::Null, "null_not_allowed"),
            (json!(now), "out_of_range"),
            (json!(now + Span::days(367).get()), "out_of_range"),
        ] {
            let refused = bed.auth.create_api_key(&ada, ends(asked), &Device::default()).await.unwrap_err();
            assert!(matches!(refused, Error::Invalid { field: "expires_at", invalid } if invalid.code == code), "{code}");
        }
        let year = now + Span::days(366).get();
        let made = bed.auth.create_api_key(&ada, ends(json!(year)), &Device::default()).await.unwrap();
        assert_eq!(made.api_key.expires_at, Some(year));
    }

    async fn a_key_without_end_is_made_only_where_the_settings_allow_it(db: Db) {
        let bed = Bed::with(db, with(ApiKeys { allow_unlimited: true, ..ApiKeys::default() })).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let made = bed.auth.create_api_key(&ada, ends(Value::Null), &Device::default()).await.unwrap();
        assert_eq!(made.api_key.expires_at, None);
        bed.advance(3_650 * 86_400);
        assert_eq!(bed.who_has(&made).await.unwrap().valid_until, Timestamp::MAX);
        bed.auth.purge().await.unwrap();
        bed.who_has(&made).await.unwrap();
    }

    async fn of_many_keys_made_at_once_as_many_as_allowed_are_made(db: Db) {
        let bed = Bed::with(db, with(ApiKeys { max_per_owner: 3, ..ApiKeys::default() })).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let mut makers = JoinSet::new();
        for _ in 0..12 {
            let (auth, ada) = (bed.auth.clone(), ada.clone());
            makers.spawn(async move { auth.create_api_key(&ada, new_key(&["tasks:read"]), &Device::default()).await });
        }
        let (made, refused): (Vec<_>, Vec<_>) = makers.join_all().await.into_iter().partition(Result::is_ok);
        assert_eq!(made.len(), 3);
        assert!(refused.iter().all(|outcome| matches!(outcome, Err(Error::TooManyKeys))));
        let first = made[0].as_ref().unwrap().api_key.id;
        bed.auth.revoke_api_key(&ada, first, &Device::default()).await.unwrap();
        bed.key(&ada, &["tasks:read"]).await;
    }

    async fn a_use_is_written_once_a_minute_and_in_nobodys_way(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let key = bed.key(&ada, &["tasks:read"]).await;
        let used = async || {
            bed.auth.write_uses().await.unwrap();
            bed.auth.api_key(&ada, key.api_key.id).await.unwrap().last_used_at
        };
        assert_eq!(used().await, None);
        let first = bed.clock.now();
        bed.who_has(&key).await.unwrap();
        assert_eq!(bed.auth.api_key(&ada, key.api_key.id).await.unwrap().last_used_at, None, "not by the request");
        assert_eq!(used().await, Some(first));
        bed.advance(59);
        bed.who_has(&key).await.unwrap();
        assert_eq!(used().await, Some(first));
        bed.advance(1);
        bed.who_has(&key).await.unwrap();
        bed.who_has(&key).await.unwrap();
        assert_eq!(used().await, Some(bed.clock.now()));
    }

    async fn keys_that_ended_long_ago_are_removed(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let (revoked, live) = (bed.key(&ada, &["tasks:read"]).await, bed.key(&ada, &["tasks:read"]).await);
        bed.auth.revoke_api_key(&ada, revoked.api_key.id, &Device::default()).await.unwrap();
        assert_eq!(bed.auth.api_keys(&ada, PageRequest::default()).await.unwrap().items.len(), 1);
        let stored = async |id| {
            bed.auth.purge().await.unwrap();
            store::api_keys::standing(&mut bed.db.read().await.unwrap(), id).await.unwrap().is_some()
        };
        bed.advance(30 * 86_400);
        assert!(stored(revoked.api_key.id).await);
        bed.advance(1);
        assert!(!stored(revoked.api_key.id).await && stored(live.api_key.id).await);
        bed.advance(90 * 86_400);
        assert!(!stored(live.api_key.id).await);
    }
}
