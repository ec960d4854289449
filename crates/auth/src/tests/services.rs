use cgcg_core::{Db, Denied, PageRequest, Principal, Subject};
use cgcg_testkit::both;
use serde_json::json;

use super::Bed;
use super::rights::{new_key, roles};
use crate::{ApiKeyCreated, Device, Error, ServiceAccountId};

async fn key_of(bed: &Bed, id: ServiceAccountId, scopes: &[&str]) -> Result<ApiKeyCreated, Error> {
    let (operator, device) = (Principal::operator(), Device::default());
    bed.auth
        .create_service_key(&operator, id, new_key(scopes), &device)
        .await
}

both! {
    async fn a_machine_is_known_by_its_key(db: Db) {
        let bed = Bed::new(db).await;
        bed.role("farm", &["tasks:read", "users:write"]).await;
        let robot = bed.machine("robot", &["farm"]).await;
        assert_eq!(robot.roles, ["farm"]);
        let key = key_of(&bed, robot.id, &["tasks:read"]).await.unwrap();
        let principal = bed.who_has(&key).await.unwrap();
        assert_eq!(principal.subject, Subject::Service(robot.id));
        assert!(principal.grants.allow("tasks:read") && !principal.grants.allow("users:write"));
        assert_eq!((principal.user(), principal.logged_in_at), (None, None));
    }

    async fn a5_the_key_of_a_machine_shrinks_and_grows_with_its_roles(db: Db) {
        let bed = Bed::new(db).await;
        bed.role("farm", &["tasks:read", "users:write"]).await;
        let robot = bed.machine("robot", &["farm"]).await;
        let key = key_of(&bed, robot.id, &["users:write"]).await.unwrap();
        let give = async |names: &[&str]| {
            let (operator, device) = (Principal::operator(), Device::default());
            bed.auth.set_service_roles(&operator, robot.id, &roles(names), &device).await.unwrap();
            bed.who_has(&key).await.unwrap().grants.allow("users:write")
        };
        assert!(bed.who_has(&key).await.unwrap().grants.allow("users:write"));
        assert!(!give(&["user"]).await);
        assert!(give(&["farm"]).await);
    }

    async fn a5_nobody_manages_a_machine_beyond_their_own_rights(db: Db) {
        let bed = Bed::new(db).await;
        let robot = bed.machine("robot", &["admin"]).await;
        let key = key_of(&bed, robot.id, &["*"]).await.unwrap();
        let (_, clerk) = bed.clerk("clerk", &["auth:services"]).await;
        let device = Device::default();
        let outranked = |outcome: Result<(), Error>| assert!(matches!(outcome, Err(Error::TargetOutranksCaller)), "{outcome:?}");
        let rename = serde_json::from_value(json!({"about": "mine"})).unwrap();
        outranked(bed.auth.update_service_account(&clerk, robot.id, rename, None, &device).await.map(drop));
        outranked(bed.auth.remove_service_account(&clerk, robot.id, &device).await);
        outranked(bed.auth.set_service_roles(&clerk, robot.id, &roles(&[]), &device).await.map(drop));
        outranked(bed.auth.create_service_key(&clerk, robot.id, new_key(&["tasks:read"]), &device).await.map(drop));
        outranked(bed.auth.revoke_service_key(&clerk, robot.id, key.api_key.id, &device).await);

        let strong = serde_json::from_value(json!({"name": "second", "roles": ["admin"]})).unwrap();
        let strong = bed.auth.create_service_account(&clerk, strong, &device).await;
        assert!(matches!(strong, Err(Error::ScopeNotHeld)));
        let weak = serde_json::from_value(json!({"name": "second", "roles": ["user"]})).unwrap();
        let weak = bed.auth.create_service_account(&clerk, weak, &device).await.unwrap();
        let wide = bed.auth.create_service_key(&clerk, weak.id, new_key(&["auth:services"]), &device).await;
        assert!(matches!(wide, Err(Error::ScopeNotHeld)), "the machine lacks it");
        bed.auth.create_service_key(&clerk, weak.id, new_key(&["tasks:read"]), &device).await.unwrap();
    }

    async fn k3_disabling_or_deleting_a_machine_ends_its_keys_at_once(db: Db) {
        let bed = Bed::new(db).await;
        let (operator, device) = (Principal::operator(), Device::default());
        let robot = bed.machine("robot", &["user"]).await;
        let key = key_of(&bed, robot.id, &["tasks:read"]).await.unwrap();
        bed.who_has(&key).await.unwrap();
        let disable = |disabled: bool| serde_json::from_value(json!({ "disabled": disabled })).unwrap();
        let off = bed.auth.update_service_account(&operator, robot.id, disable(true), Some(robot.version), &device).await.unwrap();
        assert!(off.disabled_at.is_some());
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(key_of(&bed, robot.id, &["tasks:read"]).await, Err(Error::ServiceAccountDisabled)));

        bed.auth.update_service_account(&operator, robot.id, disable(false), None, &device).await.unwrap();
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid, "ended for good");
        let key = key_of(&bed, robot.id, &["tasks:read"]).await.unwrap();
        bed.who_has(&key).await.unwrap();
        bed.auth.remove_service_account(&operator, robot.id, &device).await.unwrap();
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.service_account(&operator, robot.id).await, Err(Error::ServiceAccountNotFound)));
        let again = bed.machine("robot", &[]).await;
        assert_ne!(again.id, robot.id);
        assert!(bed.auth.service_keys(&operator, again.id, PageRequest::default()).await.unwrap().items.is_empty());
    }

    async fn names_of_machines_are_unique_and_changes_are_counted(db: Db) {
        let bed = Bed::new(db).await;
        let (operator, device) = (Principal::operator(), Device::default());
        let one = bed.machine("one", &[]).await;
        bed.machine("two", &[]).await;
        let new = serde_json::from_value(json!({"name": "two"})).unwrap();
        assert!(matches!(bed.auth.create_service_account(&operator, new, &device).await, Err(Error::NameTaken)));
        let rename = |name: &str| serde_json::from_value(json!({ "name": name })).unwrap();
        assert!(matches!(bed.auth.update_service_account(&operator, one.id, rename("two"), None, &device).await, Err(Error::NameTaken)));
        let third = bed.auth.update_service_account(&operator, one.id, rename("three"), Some(1), &device).await.unwrap();
        assert_eq!((third.name.as_str(), third.version), ("three", 2));
        let late = bed.auth.update_service_account(&operator, one.id, rename("four"), Some(1), &device).await;
        assert!(matches!(late, Err(Error::VersionMismatch)));
        let all = bed.auth.service_accounts(&operator, PageRequest::default()).await.unwrap();
        assert_eq!(all.items.iter().map(|account| account.name.as_str()).collect::<Vec<_>>().len(), 2);
    }

    async fn a_key_manages_no_keys(db: Db) {
        let bed = Bed::new(db).await;
        let robot = bed.machine("robot", &["admin"]).await;
        let key = key_of(&bed, robot.id, &["*"]).await.unwrap();
        let machine = bed.who_has(&key).await.unwrap();
        let device = Device::default();
        let more = bed.auth.create_service_key(&machine, robot.id, new_key(&["*"]), &device).await;
        assert!(matches!(more, Err(Error::NotAPerson)));
        assert!(matches!(bed.auth.revoke_service_key(&machine, robot.id, key.api_key.id, &device).await, Err(Error::NotAPerson)));
        assert!(matches!(bed.try_key(&machine, &["*"]).await, Err(Error::NotAPerson)));
        // What is no key it may do as its roles say.
        bed.auth.service_account(&machine, robot.id).await.unwrap();
    }
}
