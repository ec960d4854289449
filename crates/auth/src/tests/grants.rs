use cgcg_core::{Db, Denied, Id, Principal};
use cgcg_testkit::both;

use super::Bed;
use super::rights::{new_role, roles};
use crate::{Device, Error};

both! {
    async fn r9_another_role_makes_tokens_stale_and_the_session_goes_on_with_it(db: Db) {
        let bed = Bed::new(db).await;
        bed.role("support", &["users:write"]).await;
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        bed.who(&tokens).await.unwrap();

        let set = bed.give(ada.id, &["support", "user"]).await;
        assert_eq!((set.roles, set.scopes), (vec!["support".into(), "user".into()], vec!["tasks:read".into(), "users:write".into()]));
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Stale);
        let tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        assert!(bed.who(&tokens).await.unwrap().grants.allow("users:write"));

        // The same again changes nothing.
        bed.give(ada.id, &["user", "support", "user"]).await;
        bed.who(&tokens).await.unwrap();
        assert_eq!(bed.published.count("auth.grant.changed"), 1);

        bed.give(ada.id, &[]).await;
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Stale);
        let tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        assert!(!bed.who(&tokens).await.unwrap().grants.allow("tasks:read"));
    }

    async fn a4_twenty_parallel_demotions_leave_one_administrator(db: Db) {
        let bed = Bed::new(db).await;
        let mut admins = Vec::new();
        for at in 0..4 {
            admins.push(bed.admin(&format!("admin{at}@example.org")).await.id);
        }
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..20 {
            let (auth, id) = (bed.auth.clone(), admins[at % 4]);
            tries.spawn(async move {
                let none = roles(&["user"]);
                auth.set_user_roles(&Principal::operator(), id, &none, &Device::default()).await.is_ok()
            });
        }
        tries.join_all().await;
        let mut left = Vec::new();
        for id in admins {
            if bed.auth.user_roles(&Principal::operator(), id).await.unwrap().roles.contains(&"admin".to_owned()) {
                left.push(id);
            }
        }
        assert_eq!(left.len(), 1);
        assert!(matches!(bed.try_give(&Principal::operator(), left[0], &[]).await, Err(Error::LastAdmin)));
    }

    async fn a4_a_machine_or_a_disabled_person_is_no_administrator_left(db: Db) {
        let bed = Bed::new(db).await;
        let root = bed.admin("root@example.org").await;
        let off = bed.admin("off@example.org").await;
        bed.machine("robot", &["admin"]).await;
        bed.users.disable(&Principal::operator(), off.id).await.unwrap();
        assert!(matches!(bed.try_give(&Principal::operator(), root.id, &["user"]).await, Err(Error::LastAdmin)));
        let by_himself = bed.who(&bed.log_in("root@example.org").await).await.unwrap();
        assert!(matches!(bed.try_give(&by_himself, root.id, &["user"]).await, Err(Error::LastAdmin)));
        bed.users.enable(&Principal::operator(), off.id).await.unwrap();
        bed.try_give(&by_himself, root.id, &["user"]).await.unwrap();
    }

    async fn a5_nobody_grants_what_they_lack(db: Db) {
        let bed = Bed::new(db).await;
        let root = bed.admin("root@example.org").await;
        bed.role("strong", &["users:write"]).await;
        bed.role("weak", &["tasks:read"]).await;
        let (own, clerk) = bed.clerk("clerk", &["auth:roles:read", "auth:roles:write"]).await;
        let bob = bed.register("bob@example.org").await.id;
        for id in [bob, own] {
            for beyond in ["admin", "strong"] {
                let given = bed.try_give(&clerk, id, &["user", "clerk", beyond]).await;
                assert!(matches!(given, Err(Error::ScopeNotHeld)), "{beyond}");
            }
        }
        bed.try_give(&clerk, bob, &["user", "weak"]).await.unwrap();
        // Whoever stands above is out of reach, also for taking away.
        for names in [&["user"][..], &["admin", "user"], &[]] {
            assert!(matches!(bed.try_give(&clerk, root.id, names).await, Err(Error::TargetOutranksCaller)));
        }
        bed.give(bob, &["strong"]).await;
        assert!(matches!(bed.try_give(&clerk, bob, &[]).await, Err(Error::TargetOutranksCaller)));
        // Oneself is never out of reach.
        bed.try_give(&clerk, own, &["user"]).await.unwrap();
        let late = bed.try_give(&clerk, bob, &[]).await;
        assert!(matches!(late, Err(Error::Denied(Denied::MissingScope("auth:roles:write")))), "by the rows, not by the token");
    }

    async fn a5_whoever_has_been_logged_out_grants_nothing_more(db: Db) {
        let bed = Bed::new(db).await;
        bed.admin("root@example.org").await;
        let root = bed.who(&bed.log_in("root@example.org").await).await.unwrap();
        let bob = bed.register("bob@example.org").await.id;
        bed.auth.logout(&root, &Device::default()).await.unwrap();
        assert!(matches!(bed.try_give(&root, bob, &["admin"]).await, Err(Error::Denied(Denied::Stale))));
        let made = bed.auth.create_role(&root, new_role("new", &[]), &Device::default()).await;
        assert!(matches!(made, Err(Error::Denied(Denied::Stale))));
    }

    async fn what_is_not_there_is_not_granted(db: Db) {
        let bed = Bed::new(db).await;
        let operator = Principal::operator();
        let nobody = Id::from_uuid(uuid::Uuid::nil());
        assert!(matches!(bed.try_give(&operator, nobody, &["user"]).await, Err(Error::UserNotFound)));
        assert!(matches!(bed.auth.user_roles(&operator, nobody).await, Err(Error::UserNotFound)));
        let bob = bed.register("bob@example.org").await.id;
        let given = bed.try_give(&operator, bob, &["user", "unicorn"]).await.unwrap_err();
        assert!(matches!(given, Error::Invalid { field: "roles", invalid } if invalid.code == "role_unknown"));
        let many: Vec<String> = (0..33).map(|at| format!("role{at}")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        assert!(matches!(bed.try_give(&operator, bob, &many).await, Err(Error::Invalid { field: "roles", .. })));
    }

    async fn an_account_that_was_made_elsewhere_can_be_given_a_role(db: Db) {
        let bed = Bed::new(db).await;
        bed.role("support", &["users:write"]).await;
        let new = serde_json::from_str(r#"{"email": "ada@example.org"}"#).unwrap();
        let ada = bed.users.create(&Principal::operator(), new).await.unwrap();
        assert!(bed.auth.user_roles(&Principal::operator(), ada.id).await.unwrap().roles.is_empty());
        let role = "support".parse().unwrap();
        let set = bed.auth.grant(&Principal::operator(), ada.id, role, &Device::default()).await.unwrap();
        assert_eq!(set.roles, ["support", "user"]);
    }
}
