use cgcg_core::{Cursor, Db, Limit, PageRequest, Principal};
use cgcg_testkit::both;
use serde_json::json;

use super::Bed;
use super::rights::new_role;
use crate::{Device, Error, RoleUpdate, Settings, store};

fn change(json: serde_json::Value) -> RoleUpdate {
    serde_json::from_value(json).unwrap()
}

both! {
    async fn r9_what_a_role_may_do_changes_at_once_without_a_new_token(db: Db) {
        let bed = Bed::new(db).await;
        let operator = Principal::operator();
        let ada = bed.register("ada@example.org").await;
        let role = bed.role("support", &[]).await;
        bed.give(ada.id, &["user", "support"]).await;
        let tokens = bed.log_in("ada@example.org").await;
        assert!(!bed.who(&tokens).await.unwrap().grants.allow("users:write"));

        let wider = change(json!({"scopes": ["users:write"]}));
        let wider = bed.auth.update_role(&operator, role.id, wider, Some(role.version), &Device::default()).await.unwrap();
        assert_eq!((wider.version, wider.scopes.as_slice()), (2, ["users:write".to_owned()].as_slice()));
        let principal = bed.who(&tokens).await.unwrap();
        assert!(principal.grants.allow("users:write") && principal.grants.allow("tasks:read"));

        bed.auth.remove_role(&operator, role.id, Some(2), &Device::default()).await.unwrap();
        assert!(bed.who(&tokens).await.is_err(), "a role that was taken away makes tokens stale");
        let tokens = bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
        assert!(!bed.who(&tokens).await.unwrap().grants.allow("users:write"));
        assert_eq!(bed.published.count("auth.grant.changed"), 2);
    }

    async fn another_node_sees_a_changed_role_within_the_age_of_its_check(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let ada = bed.register("ada@example.org").await;
        let role = bed.role("support", &["users:write"]).await;
        bed.give(ada.id, &["support"]).await;
        let tokens = bed.log_in("ada@example.org").await;
        assert!(other.who(&tokens).await.unwrap().grants.allow("users:write"));
        let none = change(json!({"scopes": []}));
        bed.auth.update_role(&Principal::operator(), role.id, none, None, &Device::default()).await.unwrap();
        assert!(!bed.who(&tokens).await.unwrap().grants.allow("users:write"));
        bed.advance(5);
        assert!(!other.who(&tokens).await.unwrap().grants.allow("users:write"));
    }

    async fn a5_nobody_makes_or_changes_a_role_beyond_their_own_rights(db: Db) {
        let bed = Bed::new(db).await;
        let scopes = ["auth:roles:read", "auth:roles:write"];
        let (_, clerk) = bed.clerk("clerk", &scopes).await;
        let strong = bed.role("strong", &["users:write"]).await;
        let clerks = bed.auth.roles(&clerk, PageRequest::default()).await.unwrap();
        let own = clerks.items.iter().find(|role| role.name == "clerk").unwrap();

        for beyond in [&["users:write"][..], &["*"], &["tasks:read", "users:write"]] {
            let made = bed.auth.create_role(&clerk, new_role("new", beyond), &Device::default()).await;
            assert!(matches!(made, Err(Error::ScopeNotHeld)), "{beyond:?}");
            let wider = change(json!({ "scopes": beyond }));
            let wider = bed.auth.update_role(&clerk, own.id, wider, None, &Device::default()).await;
            assert!(matches!(wider, Err(Error::ScopeNotHeld)), "{beyond:?}");
        }
        for narrower in [json!({"scopes": []}), json!({"about": "mine now"})] {
            let changed = bed.auth.update_role(&clerk, strong.id, change(narrower), None, &Device::default()).await;
            assert!(matches!(changed, Err(Error::ScopeNotHeld)));
        }
        let removed = bed.auth.remove_role(&clerk, strong.id, None, &Device::default()).await;
        assert!(matches!(removed, Err(Error::ScopeNotHeld)));
        bed.auth.create_role(&clerk, new_role("weak", &["tasks:read"]), &Device::default()).await.unwrap();
    }

    async fn built_in_roles_and_those_of_new_accounts_stay(db: Db) {
        let mut settings = Settings::default();
        let first = Bed::new(db.clone()).await;
        first.role("guest", &["tasks:read"]).await;
        settings.roles.default = vec!["guest".to_owned()];
        let bed = Bed::with(db, settings).await;
        let (operator, device) = (Principal::operator(), Device::default());
        let roles = bed.auth.roles(&operator, PageRequest::default()).await.unwrap();
        for role in &roles.items {
            let removed = bed.auth.remove_role(&operator, role.id, None, &device).await.unwrap_err();
            match role.builtin {
                true => assert!(matches!(removed, Error::BuiltinRole)),
                false => assert!(matches!(removed, Error::RoleInUse)),
            }
        }
        assert_eq!(roles.items.len(), 3);
        let admin = roles.items.iter().find(|role| role.name == "admin").unwrap();
        let changed = bed.auth.update_role(&operator, admin.id, change(json!({"scopes": []})), None, &device).await;
        assert!(matches!(changed, Err(Error::BuiltinRole)));
    }

    async fn of_two_who_change_one_version_the_second_is_told(db: Db) {
        let bed = Bed::new(db).await;
        let (operator, device) = (Principal::operator(), Device::default());
        let role = bed.role("support", &["users:write"]).await;
        let taken = bed.auth.create_role(&operator, new_role("support", &[]), &device).await;
        assert!(matches!(taken, Err(Error::NameTaken)));
        let about = |text: &str| change(json!({ "about": text }));
        bed.auth.update_role(&operator, role.id, about("first"), Some(1), &device).await.unwrap();
        let second = bed.auth.update_role(&operator, role.id, about("second"), Some(1), &device).await;
        assert!(matches!(second, Err(Error::VersionMismatch)));
        let removed = bed.auth.remove_role(&operator, role.id, Some(1), &device).await;
        assert!(matches!(removed, Err(Error::VersionMismatch)));
        assert_eq!(bed.auth.role(&operator, role.id).await.unwrap().about, "first");
        bed.auth.remove_role(&operator, role.id, Some(2), &device).await.unwrap();
        assert!(matches!(bed.auth.role(&operator, role.id).await, Err(Error::RoleNotFound)));
    }

    async fn a_scope_of_a_feature_that_is_not_compiled_in_is_kept_and_shown(db: Db) {
        let bed = Bed::new(db).await;
        let (operator, device) = (Principal::operator(), Device::default());
        let role = bed.role("support", &["users:write"]).await;
        let mut conn = bed.db.begin().await.unwrap();
        store::roles::add_scope(&mut conn, role.id, "films:cut").await.unwrap();
        conn.commit().await.unwrap();

        let scopes = bed.auth.scopes(&operator).await.unwrap();
        let unknown: Vec<&str> = scopes.iter().filter(|scope| scope.unknown).map(|scope| scope.name.as_str()).collect();
        assert_eq!(unknown, ["films:cut"]);
        let read = scopes.iter().find(|scope| scope.name == "tasks:read").unwrap();
        assert_eq!((read.about.as_str(), read.roles.as_slice()), ("Read your tasks.", ["user".to_owned()].as_slice()));
        assert!(scopes.iter().all(|scope| scope.name != "*"));

        let kept = change(json!({"scopes": ["films:cut", "tasks:read"]}));
        let kept = bed.auth.update_role(&operator, role.id, kept, None, &device).await.unwrap();
        assert_eq!(kept.scopes, ["films:cut", "tasks:read"]);
        let new = bed.auth.create_role(&operator, new_role("other", &["films:cut"]), &device).await.unwrap_err();
        assert!(matches!(new, Error::Invalid { field: "scopes", invalid } if invalid.code == "scope_unknown"));
    }

    async fn a6_pages_of_roles_follow_each_other(db: Db) {
        let bed = Bed::new(db).await;
        for at in 0..5 {
            bed.role(&format!("role{at}"), &[]).await;
        }
        let (mut names, mut cursor): (Vec<String>, Option<Cursor>) = (Vec::new(), None);
        loop {
            let page = PageRequest { limit: Limit::new(2).unwrap(), cursor };
            let page = bed.auth.roles(&Principal::operator(), page).await.unwrap();
            names.extend(page.items.into_iter().map(|role| role.name));
            match page.next_cursor {
                Some(next) => cursor = Some(next),
                None => break,
            }
        }
        names.sort_unstable();
        assert_eq!(names, ["admin", "role0", "role1", "role2", "role3", "role4", "user"]);
    }
}
