use std::time::Duration;

use cgcg_core::{AccountStatus, Cursor, Db, Limit, PageRequest};
use cgcg_testkit::both;

use super::{Bed, new, root};
use crate::{Order, UserFilter};

both! {
    async fn pages_neither_skip_nor_repeat_while_accounts_are_added(db: Db) {
        let bed = Bed::new(db).await;
        for number in 0..7 {
            // Two at one time each: the id decides.
            bed.clock.advance(Duration::from_secs(number % 2));
            bed.create_named(&format!("user{number}")).await;
        }
        for order in [Order::Oldest, Order::Newest] {
            let filter = UserFilter { order, ..UserFilter::default() };
            let before = emails(&bed, &filter, 200, None).await.0;
            let (mut seen, mut cursor, mut added) = (Vec::new(), None, 0);
            while added == 0 || cursor.is_some() {
                let (page, next) = emails(&bed, &filter, 2, cursor).await;
                assert!(page.len() <= 2);
                seen.extend(page);
                cursor = next;
                bed.clock.advance(Duration::from_secs(1));
                if added < 3 {
                    bed.create_named(&format!("late{added}{order:?}").to_lowercase()).await;
                    added += 1;
                }
            }
            let mut once = seen.clone();
            once.sort();
            once.dedup();
            assert_eq!(once.len(), seen.len(), "{seen:?}");
            let old: Vec<_> = seen.iter().filter(|email| before.contains(email)).cloned().collect();
            assert_eq!(old, before);
        }
    }

    async fn newest_first_is_oldest_first_turned_around(db: Db) {
        let bed = Bed::new(db).await;
        for number in 0..5 {
            bed.create_named(&format!("user{number}")).await;
        }
        let newest = UserFilter { order: Order::Newest, ..UserFilter::default() };
        let mut turned = emails(&bed, &newest, 200, None).await.0;
        turned.reverse();
        assert_eq!(turned, emails(&bed, &UserFilter::default(), 200, None).await.0);
    }

    async fn wildcards_are_letters_in_a_search(db: Db) {
        let bed = Bed::new(db).await;
        for (email, name) in [("a_b@example.org", "a_b"), ("axb@example.org", "axb"), ("%@example.org", "pct")] {
            bed.users.create(&root(), new(email, Some(name))).await.unwrap();
            bed.clock.advance(Duration::from_secs(1));
        }
        assert_eq!(search(&bed, "a_b").await, ["a_b@example.org"]);
        assert_eq!(search(&bed, "%").await, ["%@example.org"]);
        assert_eq!(search(&bed, "A").await, ["a_b@example.org", "axb@example.org"]);
        assert_eq!(search(&bed, "'; drop table users --").await, [""; 0]);
        assert_eq!(search(&bed, "\\").await, [""; 0]);
        assert_eq!(search(&bed, "ä").await, [""; 0]);
        assert_eq!(search(&bed, "").await.len(), 3);
    }

    async fn a_search_finds_the_beginning_of_either_name_once(db: Db) {
        let bed = Bed::new(db).await;
        for (email, name) in [("ada@example.org", "ada"), ("grace@example.org", "ad.min"), ("Adam@example.org", "first")] {
            bed.users.create(&root(), new(email, Some(name))).await.unwrap();
            bed.clock.advance(Duration::from_secs(1));
        }
        bed.create("madam@example.org").await;
        assert_eq!(search(&bed, "AD").await, ["ada@example.org", "grace@example.org", "Adam@example.org"]);
        assert_eq!(search(&bed, "ada@example.org").await, ["ada@example.org"]);
        assert_eq!(search(&bed, "ada@example.orgs").await, [""; 0]);

        let filter = UserFilter { q: Some("ad".parse().unwrap()), order: Order::Newest, ..UserFilter::default() };
        let (page, cursor) = emails(&bed, &filter, 2, None).await;
        assert_eq!(page, ["Adam@example.org", "grace@example.org"]);
        assert_eq!(emails(&bed, &filter, 2, cursor).await, (vec!["ada@example.org".to_owned()], None));
    }

    async fn every_filter_that_is_given_must_fit(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.create_named("ada").await;
        bed.create_named("adam").await;
        bed.users.disable(&root(), ada.id).await.unwrap();
        let all = |email: Option<&str>, username: Option<&str>, status, q: Option<&str>| UserFilter {
            email: email.map(|email| email.parse().unwrap()),
            username: username.map(|name| name.parse().unwrap()),
            status,
            q: q.map(|q| q.parse().unwrap()),
            order: Order::default(),
        };
        let (active, disabled) = (Some(AccountStatus::Active), Some(AccountStatus::Disabled));
        let cases = [
            (all(Some("ADA@example.org"), None, None, None), 1),
            (all(Some("ADA@example.org"), Some("ada"), disabled, Some("Ad")), 1),
            (all(Some("ada@example.org"), Some("adam"), None, None), 0),
            (all(Some("ada@example.org"), None, active, None), 0),
            (all(Some("ada@example.org"), None, None, Some("b")), 0),
            (all(None, Some("ada"), None, None), 1),
            (all(None, Some("ada"), active, None), 0),
            (all(None, Some("nobody"), None, None), 0),
            (all(None, None, active, None), 1),
            (all(None, None, disabled, None), 1),
            (all(None, None, active, Some("ada")), 1),
            (all(None, None, disabled, Some("ada")), 1),
            (all(None, None, disabled, Some("adam")), 0),
            (all(None, None, None, Some("ada")), 2),
        ];
        for (filter, count) in cases {
            for order in [Order::Oldest, Order::Newest] {
                let filter = UserFilter { order, ..filter.clone() };
                assert_eq!(emails(&bed, &filter, 200, None).await.0.len(), count, "{filter:?}");
            }
            let far = Cursor { at: cgcg_core::Timestamp::MAX, id: uuid::Uuid::max() };
            assert!(emails(&bed, &filter, 200, Some(far)).await.0.is_empty(), "{filter:?}");
        }
    }
}

async fn search(bed: &Bed, q: &str) -> Vec<String> {
    let filter = UserFilter {
        q: Some(q.parse().unwrap()),
        ..UserFilter::default()
    };
    emails(bed, &filter, 200, None).await.0
}

async fn emails(
    bed: &Bed,
    filter: &UserFilter,
    limit: i64,
    cursor: Option<Cursor>,
) -> (Vec<String>, Option<Cursor>) {
    let page = PageRequest {
        limit: Limit::new(limit).unwrap(),
        cursor,
    };
    let page = bed.users.list(filter.clone(), page).await.unwrap();
    (
        page.items
            .iter()
            .map(|user| user.base.email.clone())
            .collect(),
        page.next_cursor,
    )
}
