use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{Authenticator, Credential, Db, Denied, FeatureKeys, MasterKey, Principal};
use cgcg_testkit::both;

use super::{Bed, CATALOGUE};
use crate::keyring::{KeyState, ListedKey, SigningKey};
use crate::store::keys::NewKey;
use crate::{Device, Error, Pace, Service, Settings, Tokens, store};

const DAY: u64 = 24 * 3_600;

impl Bed {
    async fn keys(&self) -> Vec<ListedKey> {
        self.auth.list_keys(&Principal::operator()).await.unwrap()
    }

    async fn kid(&self, state: KeyState) -> String {
        let mut keys = self.keys().await.into_iter();
        keys.find(|key| key.state == state).unwrap().kid
    }

    /// Names in the JWKS.
    fn published(&self) -> Vec<String> {
        let jwks = self.auth.jwks().unwrap();
        let keys = jwks["keys"].as_array().unwrap().iter();
        keys.map(|key| key["kid"].as_str().unwrap().to_owned())
            .collect()
    }

    async fn rotate(&self, pace: Pace) -> Vec<ListedKey> {
        self.auth
            .rotate_keys(&Principal::operator(), pace)
            .await
            .unwrap()
    }

    async fn renewed(&self, tokens: &Tokens) -> Tokens {
        self.auth
            .refresh(&tokens.refresh_token, &Device::default())
            .await
            .unwrap()
    }
}

/// The name in a token's header.
fn kid_of(tokens: &Tokens) -> String {
    let header = tokens.access_token.expose().split('.').next().unwrap();
    let header = URL_SAFE_NO_PAD.decode(header).unwrap();
    let header: serde_json::Value = serde_json::from_slice(&header).unwrap();
    header["kid"].as_str().unwrap().to_owned()
}

both! {
    async fn j14_a_retired_key_is_good_until_its_last_token_has_ended(db: Db) {
        let bed = Bed::new(db).await;
        bed.advance(2 * 60);
        let tokens = bed.person("ada@example.org").await;
        let old = kid_of(&tokens);
        bed.rotate(Pace::Soon).await;
        assert_ne!(bed.kid(KeyState::Active).await, old);
        assert!(bed.published().contains(&old));
        bed.advance(10 * 60 - 1);
        bed.who(&tokens).await.unwrap();
        // Access life 10 min, leeway 5 s, and 2 min in which another node may still have signed with it.
        bed.advance(60 + 60 + 6);
        assert!(!bed.published().contains(&old));
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        bed.auth.keep_keys().await.unwrap();
        assert!(bed.keys().await.iter().all(|key| key.kid != old));
    }

    async fn j5_a_kid_that_nobody_knows_costs_no_read(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let stranger = SigningKey::generate().unwrap();
        let claims = tokens.access_token.expose().split('.').nth(1).unwrap();
        let header = format!(r#"{{"alg":"EdDSA","kid":"{}","typ":"at+jwt"}}"#, stranger.kid());
        let signed = format!("{}.{claims}", URL_SAFE_NO_PAD.encode(header));
        let strange = format!("{signed}.{}", stranger.sign(signed.as_bytes()).unwrap());
        bed.db.close().await;
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Unavailable);
        let outcome = bed.auth.authenticate(Credential::Bearer(&strange)).await;
        assert_eq!(outcome.unwrap_err(), Denied::Invalid);
    }

    async fn the_next_key_is_published_long_before_it_signs(db: Db) {
        let bed = Bed::new(db).await;
        let (first, second) = (bed.kid(KeyState::Active).await, bed.kid(KeyState::Next).await);
        let tokens = bed.person("ada@example.org").await;
        assert_eq!(kid_of(&tokens), first);
        assert!(bed.published().contains(&second));
        bed.advance(89 * DAY);
        bed.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, first);
        let tokens = bed.log_in("ada@example.org").await;
        bed.advance(DAY);
        bed.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, second);
        assert_eq!(bed.kid(KeyState::Retired).await, first);
        assert_eq!(bed.published().len(), 3);
        assert_eq!(kid_of(&bed.renewed(&tokens).await), second);
    }

    async fn a_shorter_schedule_holds_for_the_key_that_waits_already(db: Db) {
        let bed = Bed::new(db).await;
        let second = bed.kid(KeyState::Next).await;
        let mut settings = Settings::default();
        settings.keys.rotate_every = cgcg_core::Span::days(1);
        let other = Bed::unopened(bed.db.clone(), bed.clock.clone(), settings, 7);
        other.auth.open(CATALOGUE).await.unwrap();
        bed.advance(DAY - 1);
        other.auth.keep_keys().await.unwrap();
        assert_ne!(bed.kid(KeyState::Active).await, second);
        bed.advance(1);
        other.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, second);
    }

    async fn an_ordered_rotation_waits_until_every_verifier_knows_the_key(db: Db) {
        let bed = Bed::new(db).await;
        let (first, second) = (bed.kid(KeyState::Active).await, bed.kid(KeyState::Next).await);
        bed.rotate(Pace::Published).await;
        bed.advance(3_600 + 119);
        bed.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, first);
        bed.advance(1);
        bed.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, second);
        // The one after it waits for the schedule again.
        bed.advance(3 * 3_600);
        bed.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, second);
    }

    async fn a_rotation_in_a_hurry_waits_for_our_own_nodes_only(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let (first, second) = (bed.kid(KeyState::Active).await, bed.kid(KeyState::Next).await);
        bed.rotate(Pace::Soon).await;
        bed.advance(119);
        bed.auth.keep_keys().await.unwrap();
        assert_eq!(bed.kid(KeyState::Active).await, first);
        bed.advance(1);
        bed.auth.keep_keys().await.unwrap();
        let tokens = bed.person("ada@example.org").await;
        assert_eq!(kid_of(&tokens), second);
        // That node has not read the keys again yet, and signs with the one that this node has retired.
        other.who(&tokens).await.unwrap();
        let there = other.log_in("ada@example.org").await;
        assert_eq!(kid_of(&there), first);
        bed.who(&there).await.unwrap();
        other.auth.keep_keys().await.unwrap();
        assert_eq!(kid_of(&other.renewed(&there).await), second);
    }

    async fn a_key_that_was_published_for_an_hour_takes_over_at_once(db: Db) {
        let bed = Bed::new(db).await;
        let second = bed.kid(KeyState::Next).await;
        bed.advance(3_600 + 120);
        bed.rotate(Pace::Published).await;
        assert_eq!(bed.kid(KeyState::Active).await, second);
        assert_eq!(kid_of(&bed.person("ada@example.org").await), second);
    }

    async fn a_revoked_key_is_refused_at_once_here_and_after_a_reading_elsewhere(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let tokens = bed.person("ada@example.org").await;
        bed.who(&tokens).await.unwrap();
        other.who(&tokens).await.unwrap();
        let (first, second) = (kid_of(&tokens), bed.kid(KeyState::Next).await);
        let keys = bed.auth.revoke_key(&Principal::operator(), &first).await.unwrap();
        assert!(keys.iter().all(|key| key.kid != first));
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        other.who(&tokens).await.unwrap();
        other.auth.keep_keys().await.unwrap();
        assert_eq!(other.who(&tokens).await.unwrap_err(), Denied::Invalid);
        // Only the token is lost, not the session.
        let renewed = bed.renewed(&tokens).await;
        assert_eq!(kid_of(&renewed), second);
        bed.who(&renewed).await.unwrap();
        other.who(&renewed).await.unwrap();
        let again = bed.auth.revoke_key(&Principal::operator(), &first).await;
        assert!(matches!(again, Err(Error::KeyNotFound)));
    }

    async fn a_revoked_next_key_never_signs(db: Db) {
        let bed = Bed::new(db).await;
        let next = bed.kid(KeyState::Next).await;
        let tokens = bed.person("ada@example.org").await;
        bed.auth.revoke_key(&Principal::operator(), &next).await.unwrap();
        bed.who(&tokens).await.unwrap();
        assert_ne!(bed.kid(KeyState::Next).await, next);
        assert!(!bed.published().contains(&next));
    }

    async fn of_many_nodes_one_rotates(db: Db) {
        let bed = Bed::new(db).await;
        let second = bed.kid(KeyState::Next).await;
        bed.advance(90 * DAY);
        let mut turns = tokio::task::JoinSet::new();
        for _ in 0..8 {
            let node = bed.second().await;
            turns.spawn(async move { node.auth.keep_keys().await.map(|()| node) });
        }
        let nodes = turns.join_all().await;
        assert_eq!(bed.kid(KeyState::Active).await, second);
        assert_eq!(bed.keys().await.len(), 3);
        let tokens = bed.person("ada@example.org").await;
        for node in nodes {
            node.unwrap().who(&tokens).await.unwrap();
        }
    }

    async fn the_worker_rotates_by_itself(db: Db) {
        let bed = Bed::new(db).await;
        let second = bed.kid(KeyState::Next).await;
        let cancel = tokio_util::sync::CancellationToken::new();
        let worker = bed.auth.workers().into_iter().find(|worker| worker.name == "auth.keys").unwrap();
        let running = tokio::spawn((worker.start)(cancel.clone()));
        bed.clock.wait_for_sleepers(1).await;
        bed.advance(90 * DAY);
        cgcg_testkit::eventually("the next key signs", async || bed.kid(KeyState::Active).await == second).await;
        cancel.cancel();
        running.await.unwrap().unwrap();
    }

    async fn only_whoever_may_do_everything_touches_keys(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let ada = bed.who(&tokens).await.unwrap();
        assert!(matches!(bed.auth.list_keys(&ada).await, Err(Error::ScopeNotHeld)));
        assert!(matches!(bed.auth.rotate_keys(&ada, Pace::Soon).await, Err(Error::ScopeNotHeld)));
        assert!(matches!(bed.auth.revoke_key(&ada, &kid_of(&tokens)).await, Err(Error::ScopeNotHeld)));
        bed.who(&tokens).await.unwrap();
    }

    async fn j13_a_key_that_was_written_into_the_database_without_the_master_key_is_not_trusted(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let forged = SigningKey::generate().unwrap();
        let stranger = MasterKey::generate().unwrap().derive("auth").unwrap().derive("sealing").unwrap();
        let mut conn = bed.db.begin().await.unwrap();
        let new = NewKey {
            kid: forged.kid(),
            public_jwk: &forged.public().jwk(),
            private_sealed: &stranger.seal(forged.pkcs8(), forged.kid().as_bytes()).unwrap(),
            state: "retired",
            created_at: bed.auth.now(),
            activate_at: bed.auth.now(),
        };
        assert!(store::keys::elect(&mut conn, &new).await.unwrap());
        conn.commit().await.unwrap();
        assert!(matches!(bed.auth.reload_keys().await, Err(Error::WrongKey { .. })));
        assert!(!bed.published().contains(&forged.kid().to_owned()));
        bed.who(&tokens).await.unwrap();
    }

    async fn a_change_of_the_master_key_loses_no_token_and_no_session(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let changing = bed.beside(3, Some(7));
        changing.open(CATALOGUE).await.unwrap();
        changing.authenticate(Credential::Bearer(tokens.access_token.expose())).await.unwrap();
        let renewed = changing.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        let mut conn = bed.db.begin().await.unwrap();
        assert_eq!(changing.reseal_keys(&mut conn, &Principal::operator()).await.unwrap(), 2);
        conn.commit().await.unwrap();
        let changed = bed.beside(3, None);
        changed.open(CATALOGUE).await.unwrap();
        changed.authenticate(Credential::Bearer(tokens.access_token.expose())).await.unwrap();
        changed.refresh(&renewed.refresh_token, &Device::default()).await.unwrap();
        assert!(matches!(bed.beside(7, None).open(CATALOGUE).await, Err(Error::WrongKey { .. })));
    }
}

impl Bed {
    /// A node with this master key, and perhaps the one before it.
    fn beside(&self, seed: u8, previous: Option<u8>) -> Service {
        let keys = FeatureKeys {
            current: super::keys(seed).current,
            previous: previous.map(|seed| super::keys(seed).current),
        };
        Bed::with_keys(
            self.db.clone(),
            self.clock.clone(),
            Settings::default(),
            keys,
        )
        .auth
    }
}
