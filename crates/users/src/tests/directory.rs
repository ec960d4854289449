use cgcg_core::{Db, DirectoryError, Id, UserDirectory};
use cgcg_testkit::both;
use tokio::task::JoinSet;

use super::{Bed, account};

both! {
    async fn an_address_in_another_case_is_the_same_account(db: Db) {
        let bed = Bed::new(db).await;
        let mut conn = bed.db.begin().await.unwrap();
        let mike = bed.directory.create(&mut conn, account("Mike@Example.org", None)).await.unwrap();
        let again = bed.directory.create(&mut conn, account("mIKE@example.ORG", None)).await;
        assert!(matches!(again, Err(DirectoryError::EmailTaken)));
        conn.commit().await.unwrap();

        let login = "MIKE@EXAMPLE.ORG".parse().unwrap();
        let mut conn = bed.db.read().await.unwrap();
        let found = bed.directory.find_by_login(&mut conn, &login).await.unwrap();
        assert_eq!(found, Some(mike.clone()));
        assert_eq!(mike.email.as_str(), "Mike@example.org");
    }

    async fn a_transaction_lives_on_after_a_taken_name(db: Db) {
        let bed = Bed::new(db).await;
        bed.create_named("ada").await;
        let mut conn = bed.db.begin().await.unwrap();
        let taken = bed.directory.create(&mut conn, account("other@example.org", Some("ada"))).await;
        assert!(matches!(taken, Err(DirectoryError::UsernameTaken)));
        let taken = bed.directory.create(&mut conn, account("ADA@example.org", Some("else"))).await;
        assert!(matches!(taken, Err(DirectoryError::EmailTaken)));
        let kept = bed.directory.create(&mut conn, account("other@example.org", Some("other"))).await.unwrap();
        let taken = bed.directory.set_email(&mut conn, kept.id, &"ada@example.org".parse().unwrap(), true).await;
        assert!(matches!(taken, Err(DirectoryError::EmailTaken)));
        conn.commit().await.unwrap();

        let login = "other".parse().unwrap();
        let found = bed.directory.find_by_login(&mut bed.db.read().await.unwrap(), &login).await.unwrap();
        assert_eq!(found, Some(kept));
    }

    async fn of_twenty_that_take_one_address_at_once_one_gets_it(db: Db) {
        let bed = Bed::new(db).await;
        let mut callers = JoinSet::new();
        for _ in 0..20 {
            let (db, directory) = (bed.db.clone(), bed.directory.clone());
            callers.spawn(async move {
                let mut conn = db.begin().await.unwrap();
                match directory.create(&mut conn, account("one@example.org", None)).await {
                    Ok(_) => conn.commit().await.map(|()| true).unwrap(),
                    Err(DirectoryError::EmailTaken) => false,
                    Err(error) => panic!("{error:?}"),
                }
            });
        }
        assert_eq!(callers.join_all().await.into_iter().filter(|won| *won).count(), 1);
        assert_eq!(bed.published.topics(), ["users.created"]);
    }

    async fn a_rolled_back_account_is_neither_stored_nor_published(db: Db) {
        let bed = Bed::new(db).await;
        let mut conn = bed.db.begin().await.unwrap();
        let gone = bed.directory.create(&mut conn, account("ada@example.org", None)).await.unwrap();
        drop(conn);
        let found = bed.directory.find(&mut bed.db.read().await.unwrap(), gone.id).await.unwrap();
        assert_eq!(found, None);
        assert!(bed.published.topics().is_empty());
    }

    async fn another_email_is_verified_only_where_the_caller_says_so(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create("ada@example.org").await;
        let mut conn = bed.db.begin().await.unwrap();
        let email = "Ada@example.com".parse().unwrap();
        bed.directory.set_email(&mut conn, ada.id, &email, true).await.unwrap();
        let missing = bed.directory.set_email(&mut conn, Id::new(ada.created_at), &"x@y.org".parse().unwrap(), true).await;
        assert!(matches!(missing, Err(DirectoryError::NotFound)));
        conn.commit().await.unwrap();
        let now = bed.users.get(ada.id).await.unwrap();
        assert_eq!((now.base.email.as_str(), now.version), ("Ada@example.com", 2));
        assert_eq!(now.email_verified_at, Some(now.updated_at));
        assert_eq!(bed.published.topics(), ["users.created", "users.updated"]);

        let mut conn = bed.db.begin().await.unwrap();
        bed.directory.set_email(&mut conn, ada.id, &email, false).await.unwrap();
        conn.commit().await.unwrap();
        assert_eq!(bed.users.get(ada.id).await.unwrap().email_verified_at, None);
    }

    async fn a_text_that_only_one_database_could_store_is_stored_by_neither(db: Db) {
        let bed = Bed::new(db).await;
        let mut conn = bed.db.begin().await.unwrap();
        let mut new = account("ada@example.org", None);
        new.display_name = Some("A\0da".to_owned());
        let refused = bed.directory.create(&mut conn, new).await;
        assert!(matches!(refused, Err(DirectoryError::Database(sqlx::Error::Encode(_)))));
    }
}
