use cgcg_core::{Db, Secret};
use cgcg_testkit::both;

use super::{Bed, PASSWORD, secret};
use crate::{Device, Error, Registered, SetupCreate, Tokens};

pub(super) async fn set_up(
    bed: &Bed,
    token: &Secret<String>,
    email: &str,
) -> Result<(Registered, Tokens), Error> {
    bed.auth.setup(new(token, email), &Device::default()).await
}

fn new(token: &Secret<String>, email: &str) -> SetupCreate {
    SetupCreate {
        token: token.clone(),
        email: email.parse().unwrap(),
        password: secret(PASSWORD),
        display_name: Some("Ada".to_owned()),
    }
}

both! {
    async fn the_first_administrator_may_do_everything(db: Db) {
        let bed = Bed::new(db).await;
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let (account, tokens) = set_up(&bed, &token, "ada@example.org").await.unwrap();
        let principal = bed.who(&tokens).await.unwrap();
        assert_eq!(principal.user(), Some(account.id));
        assert!(principal.grants.allow("users:write"));
        assert!(bed.auth.setup_token().await.unwrap().is_none());
        bed.log_in("ada@example.org").await;
    }

    async fn o1_fifty_parallel_set_ups_make_one_administrator(db: Db) {
        let bed = Bed::new(db).await;
        let other = bed.second().await;
        let tokens = [bed.auth.setup_token().await, other.auth.setup_token().await];
        let tokens = tokens.map(|token| token.unwrap().unwrap());
        let mut tries = tokio::task::JoinSet::new();
        for at in 0..50 {
            let node = if at % 3 == 0 { bed.auth.clone() } else { other.auth.clone() };
            let new = new(&tokens[at % 2], &format!("admin{at}@example.org"));
            tries.spawn(async move { node.setup(new, &Device::default()).await });
        }
        let outcomes = tries.join_all().await;
        assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 1);
        for outcome in outcomes {
            assert!(matches!(outcome, Ok(_) | Err(Error::SetupClosed | Error::Overloaded)), "{outcome:?}");
        }
        let holders = crate::store::grants::holders(&mut bed.db.read().await.unwrap(), "admin", 10).await.unwrap();
        assert_eq!(holders.len(), 1);
    }

    async fn o1_a_set_up_token_that_is_used_or_late_or_not_ours_is_closed(db: Db) {
        let bed = Bed::new(db).await;
        let late = bed.auth.setup_token().await.unwrap().unwrap();
        bed.advance(30 * 60);
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let closed = async |token: &Secret<String>| {
            let outcome = set_up(&bed, token, "eve@example.org").await;
            assert!(matches!(outcome, Err(Error::SetupClosed)), "{outcome:?}");
        };
        closed(&late).await;
        let text = token.expose();
        closed(&secret(&text.replacen("cgo1_", "cgo2_", 1))).await;
        let other = if text.ends_with('A') { 'B' } else { 'A' };
        closed(&secret(&format!("{}{other}", &text[..text.len() - 1]))).await;
        set_up(&bed, &token, "ada@example.org").await.unwrap();
        closed(&token).await;
    }

    async fn a_taken_address_leaves_the_set_up_token_good(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let taken = set_up(&bed, &token, "ada@example.org").await;
        assert!(matches!(taken, Err(Error::EmailTaken)));
        set_up(&bed, &token, "root@example.org").await.unwrap();
    }

    async fn the_first_who_registers_is_nobody_special(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        assert!(!bed.who(&tokens).await.unwrap().grants.allow("users:write"));
        assert!(bed.auth.setup_token().await.unwrap().is_some());
    }

    async fn only_who_may_do_everything_makes_administrators(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let principal = bed.who(&tokens).await.unwrap();
        let new = crate::AdminCreate {
            email: "eve@example.org".parse().unwrap(),
            password: secret(PASSWORD),
            display_name: None,
        };
        assert!(matches!(bed.auth.create_admin(&principal, new).await, Err(Error::ScopeNotHeld)));
        bed.admin("root@example.org").await;
        assert!(bed.auth.setup_token().await.unwrap().is_none());
    }
}
