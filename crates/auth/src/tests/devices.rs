use cgcg_core::{Clock, Db, Denied, Grants, Id, Limit, PageRequest, Principal, Timestamp};
use cgcg_testkit::both;

use super::{Bed, PASSWORD};
use crate::{Device, Error, SessionUpdate};

fn named(json: &str) -> SessionUpdate {
    serde_json::from_str(json).unwrap()
}

fn first() -> PageRequest {
    PageRequest::default()
}

both! {
    async fn r10_people_see_their_own_live_sessions_and_no_token(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        bed.person("bob@example.org").await;
        let phone = bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        bed.advance(60);
        let laptop = bed.log_in_from("192.0.2.2", "ada@example.org", PASSWORD).await.unwrap();
        let gone = bed.log_in("ada@example.org").await;
        bed.auth.logout_with(&gone.refresh_token, &Device::default()).await.unwrap();
        let by_laptop = bed.who(&laptop).await.unwrap();
        let page = bed.auth.sessions(&by_laptop, first()).await.unwrap();
        let shown: Vec<_> = page.items.iter().map(|one| (one.current, one.ip.as_deref().unwrap())).collect();
        assert_eq!(shown, [(true, "192.0.2.2"), (false, "192.0.2.1")]);
        assert_eq!(page.items[0].user_agent.as_deref(), Some("a browser"));
        assert_eq!(page.items[0].methods, ["pwd"]);
        assert_eq!(bed.auth.session(&by_laptop).await.unwrap(), page.items[0]);
        let text = serde_json::to_string(&page).unwrap();
        for tokens in [&phone, &laptop] {
            assert!(!text.contains(tokens.refresh_token.expose()) && !text.contains(tokens.access_token.expose()));
        }
        assert!(!text.contains("cgr1_") && !text.contains("salt") && !text.contains("\"gen\""));
    }

    async fn r10_the_session_of_somebody_else_is_no_session(db: Db) {
        let bed = Bed::new(db).await;
        let by_ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let bob = bed.person("bob@example.org").await;
        let by_bob = bed.who(&bob).await.unwrap();
        let theirs = bed.auth.session(&by_bob).await.unwrap().id;
        for id in [theirs, Id::new(Timestamp::from_micros(1))] {
            let ended = bed.auth.end_session(&by_ada, id, &Device::default()).await;
            assert!(matches!(ended, Err(Error::SessionNotFound)));
            let changed = bed.auth.update_session(&by_ada, id, named(r#"{"label": "mine"}"#)).await;
            assert!(matches!(changed, Err(Error::SessionNotFound)));
        }
        bed.who(&bob).await.unwrap();
        assert_eq!(bed.auth.session(&by_bob).await.unwrap().label, None);
    }

    async fn r4_a_session_that_is_revoked_by_its_owner_ends_at_once(db: Db) {
        let bed = Bed::new(db).await;
        let phone = bed.person("ada@example.org").await;
        let by_phone = bed.who(&phone).await.unwrap();
        let laptop = bed.log_in("ada@example.org").await;
        let by_laptop = bed.who(&laptop).await.unwrap();
        let id = bed.auth.session(&by_phone).await.unwrap().id;
        bed.auth.end_session(&by_laptop, id, &Device::default()).await.unwrap();
        assert_eq!(bed.who(&phone).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.refresh(&phone.refresh_token, &Device::default()).await, Err(Error::InvalidGrant)));
        let again = bed.auth.end_session(&by_laptop, id, &Device::default()).await;
        assert!(matches!(again, Err(Error::SessionNotFound)));
        bed.who(&laptop).await.unwrap();
    }

    async fn a_label_is_set_kept_and_cleared(db: Db) {
        let bed = Bed::new(db).await;
        let by_ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        let id = bed.auth.session(&by_ada).await.unwrap().id;
        for (change, label) in [(r#"{"label": "phone"}"#, Some("phone")), ("{}", Some("phone")), (r#"{"label": null}"#, None)] {
            let changed = bed.auth.update_session(&by_ada, id, named(change)).await.unwrap();
            assert_eq!(changed.label.as_deref(), label);
            assert_eq!(bed.auth.session(&by_ada).await.unwrap().label.as_deref(), label);
        }
    }

    async fn a_list_of_sessions_has_pages(db: Db) {
        let bed = Bed::new(db).await;
        let by_ada = bed.who(&bed.person("ada@example.org").await).await.unwrap();
        for _ in 0..4 {
            bed.advance(1);
            bed.log_in("ada@example.org").await;
        }
        let (mut seen, mut page) = (Vec::new(), PageRequest { limit: Limit::new(2).unwrap(), cursor: None });
        loop {
            let answer = bed.auth.sessions(&by_ada, page).await.unwrap();
            seen.extend(answer.items.iter().map(|one| one.created_at));
            page.cursor = answer.next_cursor;
            if page.cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 5);
        assert!(seen.is_sorted_by(|one, next| one > next));
    }

    async fn the_last_use_of_a_session_is_written_once_a_minute(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let by_ada = bed.who(&tokens).await.unwrap();
        let login = bed.clock.now();
        bed.advance(300);
        bed.who(&tokens).await.unwrap();
        assert_eq!(bed.auth.session(&by_ada).await.unwrap().last_seen_at, login);
        bed.auth.write_seen().await.unwrap();
        assert_eq!(bed.auth.session(&by_ada).await.unwrap().last_seen_at, bed.clock.now());
    }

    async fn administrators_see_and_end_the_sessions_of_whom_they_outrank(db: Db) {
        let bed = Bed::new(db).await;
        let root = bed.admin("root@example.org").await;
        let by_root = bed.who(&bed.log_in("root@example.org").await).await.unwrap();
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        bed.who(&tokens).await.unwrap();
        let (_, clerk) = bed.clerk("clerk", &["auth:users"]).await;
        let page = bed.auth.sessions_of(&clerk, ada.id, first()).await.unwrap();
        assert_eq!((page.items.len(), page.items[0].current), (1, false));
        assert!(matches!(bed.auth.sessions_of(&clerk, root.id, first()).await, Err(Error::TargetOutranksCaller)));
        let ended = bed.auth.end_sessions_of(&clerk, root.id, &Device::default()).await;
        assert!(matches!(ended, Err(Error::TargetOutranksCaller)));
        let nobody = Id::new(Timestamp::from_micros(1));
        assert!(matches!(bed.auth.sessions_of(&by_root, nobody, first()).await, Err(Error::UserNotFound)));
        bed.auth.end_sessions_of(&clerk, ada.id, &Device::default()).await.unwrap();
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        let mut clerk = (*clerk).clone();
        clerk.grants = ["tasks:read"].into_iter().collect::<Grants>();
        let refused = bed.auth.end_sessions_of(&clerk, ada.id, &Device::default()).await;
        assert!(matches!(refused, Err(Error::Denied(Denied::MissingScope("auth:users")))));
    }

    async fn an_administrator_who_was_demoted_elsewhere_acts_over_nobody_here(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let root = bed.admin("root@example.org").await;
        let ada = bed.admin("ada@example.org").await;
        let by_ada = other.who(&bed.log_in("ada@example.org").await).await.unwrap();
        bed.give(ada.id, &["user"]).await;
        // What the other node knows of her is younger than `sessions.check`.
        assert!(by_ada.grants.allow("auth:users"));
        let bob = bed.register("bob@example.org").await;
        let refused = other.auth.end_sessions_of(&by_ada, bob.id, &Device::default()).await;
        assert!(matches!(refused, Err(Error::Denied(Denied::MissingScope("auth:users")))), "{refused:?}");
        let refused = other.auth.sessions_of(&by_ada, bob.id, first()).await.map(drop);
        assert!(matches!(refused, Err(Error::Denied(Denied::MissingScope("auth:users")))), "{refused:?}");
        let refused = other.auth.send_password_link(&by_ada, bob.id, &Device::default()).await;
        assert!(matches!(refused, Err(Error::Denied(Denied::MissingScope("auth:users")))), "{refused:?}");
        let refused = other.users.disable(&by_ada, root.id).await.unwrap_err();
        assert!(format!("{refused:?}").contains("target_outranks_caller"), "{refused:?}");
        bed.auth.end_sessions_of(&Principal::operator(), ada.id, &Device::default()).await.unwrap();
        let refused = other.users.disable(&by_ada, bob.id).await.unwrap_err();
        assert!(format!("{refused:?}").contains("token_stale"), "{refused:?}");
    }

    async fn a_machine_has_no_sessions_to_see(db: Db) {
        let bed = Bed::new(db).await;
        let operator = Principal::operator();
        assert!(matches!(bed.auth.sessions(&operator, first()).await, Err(Error::NotAPerson)));
        let id = Id::new(Timestamp::from_micros(1));
        let ended = bed.auth.end_session(&operator, id, &Device::default()).await;
        assert!(matches!(ended, Err(Error::NotAPerson)));
    }
}
