use cgcg_core::{Authenticator, Clock, Db, Denied, Principal, Span};
use cgcg_testkit::both;

use super::Bed;
use crate::{Device, Error, Sessions, Settings};

both! {
    async fn r4_nothing_of_a_session_works_after_its_logout(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let principal = bed.who(&tokens).await.unwrap();
        assert!(bed.auth.still_valid(&principal).await);
        bed.auth.logout(&principal, &Device::default()).await.unwrap();
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert!(!bed.auth.still_valid(&principal).await);
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &Device::default()).await, Err(Error::InvalidGrant)));
        // Once more does no harm.
        bed.auth.logout_with(&tokens.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(bed.published.count("auth.session.revoked"), 1);
    }

    async fn an_old_refresh_token_logs_out_as_well(db: Db) {
        let bed = Bed::new(db).await;
        let first = bed.person("ada@example.org").await;
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        bed.who(&second).await.unwrap();
        bed.auth.logout_with(&first.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(bed.who(&second).await.unwrap_err(), Denied::Invalid);
    }

    async fn ending_the_other_sessions_keeps_this_one(db: Db) {
        let bed = Bed::new(db).await;
        let here = bed.person("ada@example.org").await;
        let there = bed.log_in("ada@example.org").await;
        let bob = bed.person("bob@example.org").await;
        for tokens in [&here, &there, &bob] {
            bed.who(tokens).await.unwrap();
        }
        let principal = bed.who(&here).await.unwrap();
        bed.auth.end_other_sessions(&principal, &Device::default()).await.unwrap();
        bed.who(&here).await.unwrap();
        assert_eq!(bed.who(&there).await.unwrap_err(), Denied::Invalid);
        bed.auth.end_sessions(&principal, &Device::default()).await.unwrap();
        assert_eq!(bed.who(&here).await.unwrap_err(), Denied::Invalid);
        bed.who(&bob).await.unwrap();
    }

    async fn a_machine_has_no_session_to_end(db: Db) {
        let bed = Bed::new(db).await;
        assert!(matches!(bed.auth.logout(&Principal::operator(), &Device::default()).await, Err(Error::NotAPerson)));
        assert!(!bed.auth.still_valid(&Principal::operator()).await);
    }

    async fn r4_another_node_sees_a_revoke_within_the_age_of_its_check(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let tokens = bed.person("ada@example.org").await;
        other.who(&tokens).await.unwrap();
        bed.auth.logout_with(&tokens.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        other.who(&tokens).await.unwrap();
        bed.advance(5);
        assert_eq!(other.who(&tokens).await.unwrap_err(), Denied::Invalid);
    }

    async fn with_no_age_each_check_reads(db: Db) {
        let sessions = Sessions { check: Span::seconds(0), ..Sessions::default() };
        let bed = Bed::with(db, Settings { sessions, ..Settings::default() }).await;
        let other = bed.second().await;
        let tokens = bed.person("ada@example.org").await;
        other.who(&tokens).await.unwrap();
        bed.auth.logout_with(&tokens.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(other.who(&tokens).await.unwrap_err(), Denied::Invalid);
    }

    async fn an_access_token_ends_though_it_is_remembered(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        bed.advance(599);
        bed.who(&tokens).await.unwrap();
        bed.advance(10);
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Expired);
        // A clock set back must not bring the remembered answer back for longer than its age.
        bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
    }

    async fn sessions_and_tokens_that_ended_long_ago_are_removed(db: Db) {
        let bed = Bed::new(db).await;
        bed.auth.setup_token().await.unwrap().unwrap();
        let ended = bed.person("ada@example.org").await;
        let live = bed.log_in("ada@example.org").await;
        bed.auth.logout_with(&ended.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(bed.auth.purge().await.unwrap(), 0);
        bed.advance(13 * 86_400);
        let live = bed.auth.refresh(&live.refresh_token, &Device::default()).await.unwrap();
        assert_eq!(bed.auth.purge().await.unwrap(), 1, "the set-up token");
        bed.advance(13 * 86_400);
        let live = bed.auth.refresh(&live.refresh_token, &Device::default()).await.unwrap();
        bed.advance(5 * 86_400);
        assert_eq!(bed.auth.purge().await.unwrap(), 1, "the session");
        bed.auth.refresh(&live.refresh_token, &Device::default()).await.unwrap();
        assert!(bed.clock.now().micros() > 0);
    }

    async fn workers_end_when_they_are_told_to(db: Db) {
        let bed = Bed::new(db).await;
        let cancel = tokio_util::sync::CancellationToken::new();
        let running: Vec<_> =
            bed.auth.workers().iter().map(|worker| tokio::spawn((worker.start)(cancel.clone()))).collect();
        bed.clock.wait_for_sleepers(running.len()).await;
        bed.advance(3_600);
        bed.clock.wait_for_sleepers(running.len()).await;
        cancel.cancel();
        for worker in running {
            worker.await.unwrap().unwrap();
        }
    }
}
