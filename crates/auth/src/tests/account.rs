use cgcg_core::{Db, Denied, Grants, Principal};
use cgcg_testkit::both;
use cgcg_users::UserUpdate;

use super::Bed;
use crate::{Device, Error, store};

/// What is left of an account in our tables.
async fn traces(bed: &Bed, id: cgcg_core::Id<cgcg_core::User>) -> bool {
    let mut conn = bed.db.read().await.unwrap();
    let password = store::passwords::known(&mut conn, id).await.unwrap();
    let rights = store::subjects::rights(&mut conn, id).await.unwrap();
    password.is_some() || rights.is_some()
}

fn moving() -> UserUpdate {
    serde_json::from_str(r#"{"email": "ada@example.com"}"#).unwrap()
}

both! {
    async fn r9_disabling_ends_what_the_account_had_at_once(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        bed.who(&tokens).await.unwrap();
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &Device::default()).await, Err(Error::InvalidGrant)));
        bed.users.enable(&Principal::operator(), ada.id).await.unwrap();
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
    }

    async fn u1_deleting_leaves_nothing_and_a_new_account_inherits_nothing(db: Db) {
        let bed = Bed::new(db).await;
        bed.admin("root@example.org").await;
        let ada = bed.admin("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        let by_herself = bed.who(&tokens).await.unwrap();
        let key = bed.key(&by_herself, &["users:write"]).await;
        bed.who_has(&key).await.unwrap();
        bed.users.remove(&by_herself, ada.id).await.unwrap();
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &Device::default()).await, Err(Error::InvalidGrant)));
        assert!(!traces(&bed, ada.id).await);
        let again = bed.register("ada@example.org").await;
        assert_ne!(again.id, ada.id);
        let tokens = bed.log_in("ada@example.org").await;
        let new = bed.who(&tokens).await.unwrap();
        assert!(!new.grants.allow("users:write"));
        assert!(bed.auth.api_keys(&new, Default::default()).await.unwrap().items.is_empty());
        assert_eq!(bed.who_has(&key).await.unwrap_err(), Denied::Invalid);
    }

    async fn r9_an_address_that_an_administrator_changes_ends_every_session(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        bed.who(&tokens).await.unwrap();
        bed.users.update(&Principal::operator(), ada.id, moving(), None).await.unwrap();
        assert_eq!(bed.who(&tokens).await.unwrap_err(), Denied::Invalid);
        assert!(matches!(bed.auth.refresh(&tokens.refresh_token, &Device::default()).await, Err(Error::InvalidGrant)));
    }

    async fn a_leaked_key_or_token_does_not_take_over_the_account_of_its_owner(db: Db) {
        let bed = Bed::new(db).await;
        bed.admin("root@example.org").await;
        let ada = bed.admin("ada@example.org").await;
        let by_session = bed.who(&bed.log_in("ada@example.org").await).await.unwrap();
        let key = bed.key(&by_session, &["users:write"]).await;
        let by_key = bed.who_has(&key).await.unwrap();
        let whole = bed.key(&by_session, &["*"]).await;
        let by_whole = bed.who_has(&whole).await.unwrap();
        let code = |outcome: Result<cgcg_users::User, cgcg_users::Error>| match outcome {
            Err(cgcg_users::Error::Refused { code }) => code,
            other => panic!("{other:?}"),
        };
        assert_eq!(code(bed.users.update(&by_session, ada.id, moving(), None).await), "use_email_change");
        assert_eq!(code(bed.users.update(&by_whole, ada.id, moving(), None).await), "use_email_change");
        assert_eq!(code(bed.users.update(&by_key, ada.id, moving(), None).await), "target_outranks_caller");
        assert_eq!(code(bed.users.disable(&by_key, ada.id).await), "target_outranks_caller");
        let removed = bed.users.remove(&by_key, ada.id).await.unwrap_err();
        assert!(format!("{removed:?}").contains("target_outranks_caller"));
        let demoted = bed.try_give(&by_key, ada.id, &["user"]).await;
        assert!(demoted.is_err());
        bed.log_in("ada@example.org").await;
    }

    async fn an_account_that_becomes_the_last_administrator_meanwhile_is_not_disabled(db: Db) {
        let bed = Bed::new(db).await;
        let root = bed.admin("root@example.org").await;
        let ada = bed.register("ada@example.org").await;
        // Whoever gives and takes rights holds the row of the role.
        let mut change = bed.db.begin().await.unwrap();
        store::roles::lock(&mut change, "admin").await.unwrap();
        store::grants::remove(&mut change, root.id, "admin").await.unwrap();
        store::grants::add_named(&mut change, ada.id, "admin", None, cgcg_core::Clock::now(&bed.clock)).await.unwrap();
        let (users, id) = (bed.users.clone(), ada.id);
        let disable = tokio::spawn(async move { users.disable(&Principal::operator(), id).await });
        bed.a_while().await;
        change.commit().await.unwrap();
        let refusal = disable.await.unwrap().unwrap_err();
        assert!(format!("{refusal:?}").contains("last_admin"), "{refusal:?}");
    }

    async fn a_reset_and_an_administrator_at_one_account_do_not_wait_in_a_circle(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        // As a reset does: first its row here, later the account.
        let mut reset = bed.db.begin().await.unwrap();
        store::subjects::lock(&mut reset, ada.id).await.unwrap();
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..3 {
            let (users, id) = (bed.users.clone(), ada.id);
            tries.spawn(async move {
                let operator = Principal::operator();
                match at {
                    0 => users.update(&operator, id, moving(), None).await.map(drop),
                    1 => users.disable(&operator, id).await.map(drop),
                    _ => users.remove(&operator, id).await,
                }
            });
        }
        bed.a_while().await;
        cgcg_core::on!(&mut reset, |c| sqlx::query("update users set version = version where id = $1")
            .bind(ada.id)
            .execute(c)
            .await
            .map(drop))
        .unwrap();
        reset.commit().await.unwrap();
        for outcome in tries.join_all().await {
            // Whoever comes after the removal finds nothing.
            assert!(matches!(outcome, Ok(()) | Err(cgcg_users::Error::NotFound)), "{outcome:?}");
        }
        assert!(!traces(&bed, ada.id).await);
    }

    async fn a4_twenty_parallel_removals_leave_one_administrator(db: Db) {
        let bed = Bed::new(db).await;
        let mut admins = Vec::new();
        for at in 0..4 {
            admins.push(bed.admin(&format!("admin{at}@example.org")).await.id);
        }
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..20 {
            let (users, id) = (bed.users.clone(), admins[at % 4]);
            tries.spawn(async move {
                let operator = Principal::operator();
                match at % 8 < 4 {
                    true => users.disable(&operator, id).await.is_ok(),
                    false => users.remove(&operator, id).await.is_ok(),
                }
            });
        }
        tries.join_all().await;
        let mut active = 0;
        for id in admins {
            let account = bed.users.get(id).await;
            active += usize::from(account.is_ok_and(|user| user.status == cgcg_core::AccountStatus::Active));
        }
        assert_eq!(active, 1);
    }

    async fn a5_a_right_to_change_accounts_is_no_right_over_administrators(db: Db) {
        let bed = Bed::new(db).await;
        let root = bed.admin("root@example.org").await;
        bed.admin("other@example.org").await;
        let ada = bed.register("ada@example.org").await;
        let bob = bed.register("bob@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        let mut clerk = (*bed.who(&tokens).await.unwrap()).clone();
        clerk.grants = ["users:write", "tasks:read"].into_iter().collect::<Grants>();
        for outcome in [bed.users.disable(&clerk, root.id).await.map(drop), bed.users.remove(&clerk, root.id).await] {
            assert!(format!("{:?}", outcome.unwrap_err()).contains("target_outranks_caller"));
        }
        bed.users.disable(&clerk, bob.id).await.unwrap();
        // Oneself is never out of reach, whatever one may do.
        clerk.grants = Grants::default();
        bed.users.remove(&clerk, ada.id).await.unwrap();
    }

    async fn a4_the_last_administrator_cannot_leave(db: Db) {
        let bed = Bed::new(db).await;
        let root = bed.admin("root@example.org").await;
        let gone = bed.admin("gone@example.org").await;
        bed.users.disable(&Principal::operator(), gone.id).await.unwrap();
        let tokens = bed.log_in("root@example.org").await;
        let by_himself = bed.who(&tokens).await.unwrap();
        let refusal = bed.users.remove(&by_himself, root.id).await.unwrap_err();
        assert!(format!("{refusal:?}").contains("last_admin"));
        bed.who(&tokens).await.unwrap();
        bed.auth.refresh(&tokens.refresh_token, &Device::default()).await.unwrap();
    }
}
