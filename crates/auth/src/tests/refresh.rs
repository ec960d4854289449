use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{Authenticator, Clock, Credential, Db, Denied};
use cgcg_testkit::both;

use super::audit::audit_of;
use super::{Bed, secret};
use crate::{Device, Error, LostResponse, Sessions, Settings, Tokens};

fn is_refused(outcome: Result<Tokens, Error>) -> bool {
    matches!(outcome, Err(Error::InvalidGrant))
}

both! {
    async fn r1_fifty_parallel_refreshes_are_one_step_with_one_successor(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let first = bed.person("ada@example.org").await;
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..50 {
            let node = if at % 2 == 0 { bed.auth.clone() } else { other.auth.clone() };
            let token = first.refresh_token.clone();
            tries.spawn(async move { node.refresh(&token, &Device::default()).await.unwrap() });
        }
        let answers = tries.join_all().await;
        let successors: BTreeSet<_> = answers.iter().map(|tokens| tokens.refresh_token.expose().clone()).collect();
        assert_eq!(successors.len(), 1);
        assert!(!successors.contains(first.refresh_token.expose()));
        for tokens in &answers[..3] {
            bed.who(tokens).await.unwrap();
        }
        // The lineage goes on from that one successor.
        bed.auth.refresh(&answers[0].refresh_token, &Device::default()).await.unwrap();
    }

    async fn r2_an_old_token_after_grace_ends_the_session_and_tells_its_owner(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.person("ada@example.org").await;
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        bed.who(&second).await.unwrap();
        bed.advance(11);
        assert!(is_refused(bed.auth.refresh(&first.refresh_token, &Device::default()).await));
        assert!(is_refused(bed.auth.refresh(&second.refresh_token, &Device::default()).await));
        assert_eq!(bed.who(&second).await.unwrap_err(), Denied::Invalid);
        assert_eq!(bed.published.count("auth.refresh.reused"), 1);
        assert_eq!(bed.published.count("auth.session.revoked"), 1);
        let lines = audit_of(&bed, "refresh.reuse").await;
        assert_eq!((lines.len(), lines[0].outcome.as_str()), (1, "invalid_grant"));
        assert!(lines[0].subject_id.is_some() && lines[0].session_id.is_some());
        assert_eq!(bed.waiting_mail().await, ["reuse_detected"]);
    }

    async fn r3_a_token_two_generations_old_ends_its_session_even_within_the_grace(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.person("ada@example.org").await;
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        let third = bed.auth.refresh(&second.refresh_token, &Device::default()).await.unwrap();
        assert!(is_refused(bed.auth.refresh(&first.refresh_token, &Device::default()).await));
        assert!(is_refused(bed.auth.refresh(&third.refresh_token, &Device::default()).await));
    }

    async fn r5_r6_a_lost_answer_is_given_again_after_a_restart(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.person("ada@example.org").await;
        let lost = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        let node = bed.second().await;
        bed.advance(9);
        let again = node.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(lost.refresh_token, again.refresh_token);
        node.auth.refresh(&again.refresh_token, &Device::default()).await.unwrap();
    }

    async fn r5_a_clock_set_back_an_hour_neither_stops_refreshing_nor_prolongs_the_grace(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.person("ada@example.org").await;
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        bed.clock.set(bed.clock.now() - Duration::from_secs(3_600));
        let third = bed.auth.refresh(&second.refresh_token, &Device::default()).await.unwrap();
        let again = bed.auth.refresh(&second.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(third.refresh_token, again.refresh_token);
        bed.clock.set(bed.clock.now() - Duration::from_secs(3_600));
        assert!(is_refused(bed.auth.refresh(&second.refresh_token, &Device::default()).await));
    }

    async fn r7_a_changed_token_is_refused_and_writes_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.person("ada@example.org").await;
        let bob = bed.person("bob@example.org").await;
        let body = |tokens: &Tokens| {
            let text = tokens.refresh_token.expose().strip_prefix("cgr1_").unwrap().to_owned();
            URL_SAFE_NO_PAD.decode(text).unwrap()
        };
        let refused = async |bytes: &[u8]| {
            let token = secret(&format!("cgr1_{}", URL_SAFE_NO_PAD.encode(bytes)));
            assert!(is_refused(bed.auth.refresh(&token, &Device::default()).await));
        };
        let genuine = body(&ada);
        for at in 0..genuine.len() {
            let mut changed = genuine.clone();
            changed[at] ^= 1;
            refused(&changed).await;
        }
        // The next generation, and another session's id.
        let mut next = genuine.clone();
        next[24] += 1;
        refused(&next).await;
        let mut others = genuine.clone();
        others[1..17].copy_from_slice(&body(&bob)[1..17]);
        refused(&others).await;
        refused(&genuine[..40]).await;
        for text in ["", "cgr1_", &"A".repeat(10_240), &format!("{}=", ada.refresh_token.expose())] {
            assert!(is_refused(bed.auth.refresh(&secret(text), &Device::default()).await), "{text}");
        }
        // Both sessions are as they were.
        bed.auth.refresh(&ada.refresh_token, &Device::default()).await.unwrap();
        bed.auth.refresh(&bob.refresh_token, &Device::default()).await.unwrap();
    }

    async fn r8_a_session_that_rests_too_long_ends(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.person("ada@example.org").await;
        assert_eq!(first.refresh_expires_in, 14 * 86_400);
        bed.advance(14 * 86_400 - 1);
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        bed.advance(14 * 86_400);
        assert!(is_refused(bed.auth.refresh(&second.refresh_token, &Device::default()).await));
    }

    async fn r8_no_refresh_moves_the_absolute_end(db: Db) {
        let bed = Bed::new(db).await;
        let mut tokens = bed.person("ada@example.org").await;
        for _ in 0..8 {
            bed.advance(11 * 86_400);
            tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        }
        assert_eq!(tokens.refresh_expires_in, 2 * 86_400);
        bed.advance(2 * 86_400);
        assert!(is_refused(bed.auth.refresh(&tokens.refresh_token, &Device::default()).await));
    }

    async fn r6_without_a_grace_the_old_token_is_a_reuse_at_once(db: Db) {
        let sessions = Sessions { grace: cgcg_core::Span::seconds(0), ..Sessions::default() };
        let bed = Bed::with(db, Settings { sessions, ..Settings::default() }).await;
        let first = bed.person("ada@example.org").await;
        bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        bed.advance(1);
        assert!(is_refused(bed.auth.refresh(&first.refresh_token, &Device::default()).await));
    }

    async fn r5_two_steps_in_one_second_are_two_generations(db: Db) {
        let bed = Bed::new(db).await;
        let mut tokens = bed.person("ada@example.org").await;
        for _ in 0..2 {
            tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        }
        let node = bed.second().await;
        node.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
    }

    async fn r6_until_next_an_old_token_is_good_until_its_successor_is_used(db: Db) {
        let sessions = Sessions { lost_response: LostResponse::UntilNext, ..Sessions::default() };
        let bed = Bed::with(db, Settings { sessions, ..Settings::default() }).await;
        let first = bed.person("ada@example.org").await;
        let lost = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        bed.advance(3 * 86_400);
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(lost.refresh_token, second.refresh_token);
        let third = bed.auth.refresh(&second.refresh_token, &Device::default()).await.unwrap();
        assert!(is_refused(bed.auth.refresh(&first.refresh_token, &Device::default()).await));
        assert!(is_refused(bed.auth.refresh(&third.refresh_token, &Device::default()).await));
    }

    async fn r11_one_kind_of_token_is_nothing_in_the_place_of_another(db: Db) {
        let bed = Bed::new(db).await;
        let setup = bed.auth.setup_token().await.unwrap().unwrap();
        let tokens = bed.person("ada@example.org").await;
        for token in [&setup, &tokens.refresh_token] {
            let outcome = bed.auth.authenticate(Credential::Bearer(token.expose())).await;
            assert_eq!(outcome.unwrap_err(), Denied::Invalid);
        }
        for token in [&setup, &tokens.access_token] {
            assert!(is_refused(bed.auth.refresh(token, &Device::default()).await));
            assert!(matches!(bed.auth.logout_with(token, &Device::default()).await, Err(Error::InvalidGrant)));
        }
        for token in [&tokens.refresh_token, &tokens.access_token] {
            let outcome = crate::tests::setup::set_up(&bed, token, "eve@example.org").await;
            assert!(matches!(outcome, Err(Error::SetupClosed)));
        }
    }
}
