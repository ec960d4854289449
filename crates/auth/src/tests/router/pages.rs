use actix_web::test::TestRequest;
use cgcg_core::Db;
use cgcg_testkit::both;

use super::ask;
use crate::tests::Bed;

both! {
    async fn the_set_up_page_needs_no_network_and_no_other_origin(db: Db) {
        let bed = Bed::new(db).await;
        let page = || TestRequest::get().uri("/api/v1/auth/pages/setup");
        let (one, two) = (ask(&bed, page()).await, ask(&bed, page()).await);
        let policy = one.header("content-security-policy").to_owned();
        assert_ne!(policy, two.header("content-security-policy"));
        assert!(policy.starts_with("default-src 'none';"));
        let nonce = policy.split("'nonce-").nth(1).unwrap().split('\'').next().unwrap();
        assert_eq!(one.text.matches(&format!("nonce=\"{nonce}\"")).count(), 2);
        assert_eq!(one.text.matches("<script").count() + one.text.matches("<style").count(), 2);
        assert_eq!((one.header("referrer-policy"), one.header("cache-control")), ("no-referrer", "no-store"));
        for outside in ["http://", "https://", " src=", "<link", "@import", "url("] {
            assert!(!one.text.contains(outside), "{outside}");
        }
    }

    async fn m2_the_pages_of_mail_need_no_network_and_consume_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let page = |name: &str| TestRequest::get().uri(&format!("/api/v1/auth/pages/{name}"));
        for name in ["verify", "reset"] {
            let page = ask(&bed, page(name)).await;
            assert_eq!((page.status, page.header("referrer-policy")), (200, "no-referrer"));
            assert!(page.header("content-security-policy").starts_with("default-src 'none';"));
            assert_eq!(page.text.matches("<script").count() + page.text.matches("<style").count(), 2);
            for outside in ["http://", "https://", " src=", "<link", "@import", "url(", "{nonce}"] {
                assert!(!page.text.contains(outside), "{outside}");
            }
        }
    }
}
