use std::collections::BTreeSet;

use cgcg_core::{Db, Principal};
use cgcg_testkit::both;
use tokio::task::JoinSet;

use super::{Bed, new_account, secret};
use crate::{Answered, Device, Error, IdempotencyKey, Settings, Welcome};

fn key(text: &str) -> IdempotencyKey {
    text.parse().unwrap()
}

async fn register(bed: &Bed, email: &str, name: &str) -> Result<Answered, Error> {
    let here = Device::default();
    bed.auth
        .register_once(new_account(email), &key(name), &here)
        .await
}

both! {
    async fn a_repeat_gets_the_first_answer(db: Db) {
        let bed = Bed::new(db).await;
        let first = register(&bed, "ada@example.org", "k1").await.unwrap();
        let again = register(&bed, "ada@example.org", "k1").await.unwrap();
        assert_eq!((first.replayed, again.replayed), (false, true));
        let id = first.welcome.account().unwrap().id;
        assert_eq!(again.welcome.account().unwrap().id, id);
        assert!(matches!(register(&bed, "ada@example.org", "k2").await, Err(Error::EmailTaken)));
        // What failed is not kept: the key is free for a better try.
        register(&bed, "eve@example.org", "k2").await.unwrap();
    }

    async fn another_body_under_the_same_key_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        register(&bed, "ada@example.org", "k").await.unwrap();
        assert!(matches!(register(&bed, "eve@example.org", "k").await, Err(Error::IdempotencyKeyReused)));
        let mut other = new_account("ada@example.org");
        other.password = secret("another good password");
        let outcome = bed.auth.register_once(other, &key("k"), &Device::default()).await;
        assert!(matches!(outcome, Err(Error::IdempotencyKeyReused)));
        let mut other = new_account("ada@example.org");
        other.display_name = Some("Ada".to_owned());
        let outcome = bed.auth.register_once(other, &key("k"), &Device::default()).await;
        assert!(matches!(outcome, Err(Error::IdempotencyKeyReused)));
    }

    async fn twenty_at_once_make_one_account(db: Db) {
        let bed = Bed::new(db).await;
        let mut tries = JoinSet::new();
        for _ in 0..20 {
            let auth = bed.auth.clone();
            tries.spawn(async move {
                auth.register_once(new_account("ada@example.org"), &key("k"), &Device::default()).await
            });
        }
        let mut ids = BTreeSet::new();
        let mut fresh = 0;
        for outcome in tries.join_all().await {
            match outcome {
                Ok(answered) => {
                    fresh += usize::from(!answered.replayed);
                    ids.insert(answered.welcome.account().unwrap().id.to_string());
                }
                Err(Error::Overloaded) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert_eq!((ids.len(), fresh), (1, 1));
    }

    async fn a_key_stands_for_a_day(db: Db) {
        let bed = Bed::new(db).await;
        register(&bed, "ada@example.org", "k").await.unwrap();
        bed.advance(86_399);
        assert!(register(&bed, "ada@example.org", "k").await.unwrap().replayed);
        bed.advance(1);
        // Purged or not, it is free.
        assert!(!register(&bed, "eve@example.org", "k").await.unwrap().replayed);
        bed.advance(86_401);
        assert_eq!(bed.auth.purge().await.unwrap(), 1);
    }

    async fn a_deleted_account_is_no_answer_any_more(db: Db) {
        let bed = Bed::new(db).await;
        let first = register(&bed, "ada@example.org", "k").await.unwrap().welcome.account().unwrap();
        bed.users.remove(&Principal::operator(), first.id).await.unwrap();
        let again = register(&bed, "ada@example.org", "k").await.unwrap();
        assert!(!again.replayed);
        assert_ne!(again.welcome.account().unwrap().id, first.id);
    }

    async fn a_repeat_tells_nothing_where_the_first_answer_told_nothing(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        for (email, name) in [("ada@example.org", "k1"), ("ada@example.org", "k2")] {
            for replayed in [false, true] {
                let answer = register(&bed, email, name).await.unwrap();
                assert!(matches!(answer.welcome, Welcome::CheckEmail));
                assert_eq!(answer.replayed, replayed);
            }
        }
        let mailed: Vec<_> = bed.mailed().await.into_iter().map(|(template, _)| template).collect();
        assert_eq!(mailed, ["already_registered", "verify"], "repeats mail nothing");
    }
}

#[test]
fn a_key_is_printable_and_not_too_long() {
    for text in ["", "a\nb", "ä", "\0", &"x".repeat(256)] {
        assert!(text.parse::<IdempotencyKey>().is_err(), "{text:?}");
    }
    key("\"8e03978e-40d5-43dd-bc93-6894a57f9324\"");
    key(&"x".repeat(255));
}
