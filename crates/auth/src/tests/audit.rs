use cgcg_core::{Clock, Db, Denied, Grants, Limit, PageRequest, Principal};
use cgcg_testkit::both;

use super::setup::set_up;
use super::{Bed, PASSWORD, from};
use crate::{AuditEntry, AuditFilter, Error, Settings};

/// The lines of one action, the newest first.
pub(super) async fn audit_of(bed: &Bed, action: &str) -> Vec<AuditEntry> {
    let filter = AuditFilter {
        action: Some(action.parse().unwrap()),
        ..AuditFilter::default()
    };
    lines(bed, &filter).await
}

async fn lines(bed: &Bed, filter: &AuditFilter) -> Vec<AuditEntry> {
    let page = PageRequest {
        limit: Limit::new(200).unwrap(),
        cursor: None,
    };
    let page = bed.auth.audit(&Principal::operator(), filter, page).await;
    page.unwrap().items
}

/// In their order, without the keys of the first start.
async fn actions(bed: &Bed) -> Vec<String> {
    let lines = lines(bed, &AuditFilter::default()).await;
    let actions = lines.into_iter().rev().map(|line| line.action);
    actions
        .filter(|action| !action.starts_with("signing_key"))
        .collect()
}

both! {
    async fn every_act_leaves_a_line_that_says_who_and_from_where(db: Db) {
        let bed = Bed::new(db).await;
        let token = bed.auth.setup_token().await.unwrap().unwrap();
        let (root, tokens) = set_up(&bed, &token, "root@example.org").await.unwrap();
        let by_root = bed.who(&tokens).await.unwrap();
        bed.advance(1);
        let ada = bed.admin("ada@example.org").await;
        bed.advance(1);
        let tokens = bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        let by_ada = bed.who(&tokens).await.unwrap();
        bed.advance(1);
        bed.auth.end_other_sessions(&by_ada, &from("192.0.2.1")).await.unwrap();
        bed.advance(1);
        bed.auth.logout(&by_ada, &from("192.0.2.1")).await.unwrap();
        bed.auth.logout_with(&tokens.refresh_token, &from("192.0.2.1")).await.unwrap();
        bed.advance(1);
        bed.auth.end_sessions_of(&by_root, ada.id, &from("192.0.2.2")).await.unwrap();
        bed.advance(1);
        bed.users.disable(&by_root, ada.id).await.unwrap();
        bed.advance(1);
        bed.users.enable(&by_root, ada.id).await.unwrap();
        assert_eq!(actions(&bed).await, [
            "setup", "account.created", "login.success", "session.revoked", "logout", "session.revoked",
            "account.disabled", "account.enabled",
        ]);
        let login = audit_of(&bed, "login.success").await.remove(0);
        assert_eq!((login.actor_id, login.subject_id), (Some(ada.id.uuid()), Some(ada.id.uuid())));
        assert_eq!((login.ip.as_deref(), login.user_agent.as_deref()), (Some("192.0.2.1"), Some("a browser")));
        assert_eq!((login.request_id.as_deref(), login.outcome.as_str()), (Some("request-1"), "success"));
        assert!(login.session_id.is_some());
        let disabled = audit_of(&bed, "account.disabled").await.remove(0);
        assert_eq!((disabled.actor_id, disabled.subject_id), (Some(root.id.uuid()), Some(ada.id.uuid())));
    }

    async fn failed_logins_of_a_name_are_one_line_a_minute_without_the_name(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let start = bed.clock.now().micros() / 60_000_000;
        for name in ["ada@example.org", "ada@example.org", "my secret password", "ada@example.org"] {
            let _ = bed.log_in_from("192.0.2.1", name, "wrong password 1").await;
        }
        let mut counts: Vec<_> = audit_of(&bed, "login.failure").await.into_iter().map(|line| (line.count, line.subject_id)).collect();
        counts.sort();
        assert_eq!(counts, [(1, None), (3, Some(ada.id.uuid()))]);
        bed.advance(60);
        assert_ne!(bed.clock.now().micros() / 60_000_000, start);
        let _ = bed.log_in_from("192.0.2.1", "ada@example.org", "wrong password 1").await;
        let lines = audit_of(&bed, "login.failure").await;
        assert_eq!((lines.len(), lines[0].outcome.as_str()), (3, "invalid_credentials"));
        let text = serde_json::to_string(&lines).unwrap();
        assert!(!text.contains("secret") && !text.contains("ada@"), "{text}");
        // One name is one mark, so that its lines can be put together.
        let marks: std::collections::BTreeSet<_> = lines.iter().map(|line| line.detail["name"].to_string()).collect();
        assert_eq!(marks.len(), 2);
    }

    async fn a_refused_login_after_the_right_password_says_why(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        bed.users.disable(&Principal::operator(), ada.id).await.unwrap();
        bed.try_log_in("ada@example.org", PASSWORD).await.unwrap_err();
        let lines = audit_of(&bed, "login.failure").await;
        assert_eq!((lines.len(), lines[0].outcome.as_str()), (1, "account_disabled"));
    }

    async fn lines_are_found_by_all_that_they_say_in_pages(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let bob = bed.register("bob@example.org").await;
        let middle = {
            for _ in 0..3 {
                bed.advance(61);
                bed.log_in("ada@example.org").await;
            }
            bed.advance(61);
            bed.clock.now()
        };
        bed.log_in("ada@example.org").await;
        bed.log_in("bob@example.org").await;
        let (ada, bob) = (Some(ada.id.uuid()), Some(bob.id.uuid()));
        let count = async |filter: AuditFilter| lines(&bed, &filter).await.len();
        let filter = AuditFilter::default;
        let login = Some("login.success".parse().unwrap());
        // One of them is of the keys of the first start.
        assert_eq!(count(filter()).await, 8);
        assert_eq!(count(AuditFilter { subject: ada, ..filter() }).await, 5);
        assert_eq!(count(AuditFilter { actor: bob, ..filter() }).await, 1);
        assert_eq!(count(AuditFilter { action: login.clone(), ..filter() }).await, 5);
        assert_eq!(count(AuditFilter { subject: ada, actor: bob, ..filter() }).await, 0);
        assert_eq!(count(AuditFilter { from: Some(middle), ..filter() }).await, 2);
        assert_eq!(count(AuditFilter { to: Some(middle), action: login, ..filter() }).await, 3);

        let (mut seen, mut cursor) = (Vec::new(), None);
        loop {
            let page = PageRequest { limit: Limit::new(2).unwrap(), cursor };
            let page = bed.auth.audit(&Principal::operator(), &filter(), page).await.unwrap();
            seen.extend(page.items.iter().map(|line| line.id));
            cursor = page.next_cursor;
            if cursor.is_none() {
                break;
            }
        }
        assert_eq!(seen.len(), 8);
        assert!(seen.is_sorted_by(|one, next| one > next));
    }

    async fn the_audit_needs_its_scope(db: Db) {
        let bed = Bed::new(db).await;
        let mut clerk = Principal::operator();
        clerk.grants = ["users:write"].into_iter().collect::<Grants>();
        let refused = bed.auth.audit(&clerk, &AuditFilter::default(), PageRequest::default()).await;
        assert!(matches!(refused, Err(Error::Denied(Denied::MissingScope("auth:audit:read")))));
    }

    async fn a_deleted_account_leaves_ids_in_the_audit_and_nothing_else(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let _ = bed.log_in_from("192.0.2.1", "ada@example.org", "wrong password 1").await;
        bed.log_in_from("192.0.2.1", "ada@example.org", PASSWORD).await.unwrap();
        bed.users.remove(&Principal::operator(), ada.id).await.unwrap();
        let lines = lines(&bed, &AuditFilter { subject: Some(ada.id.uuid()), ..AuditFilter::default() }).await;
        let actions: Vec<_> = lines.iter().map(|line| line.action.as_str()).collect();
        assert_eq!(lines.len(), 4, "{actions:?}");
        for line in &lines {
            assert_eq!((&line.ip, &line.user_agent, line.detail.len()), (&None, &None, 0), "{line:?}");
        }
        let mut conn = bed.db.read().await.unwrap();
        let counters: i64 = cgcg_core::on!(&mut conn, |c| {
            sqlx::query_scalar("select count(*) from auth_throttle").fetch_one(c).await.unwrap()
        });
        assert_eq!(counters, 0);
    }

    async fn old_lines_are_removed_after_the_time_that_is_set(db: Db) {
        let mut settings = Settings::default();
        settings.audit.keep = cgcg_core::Span::days(2);
        let bed = Bed::with(db, settings).await;
        bed.register("ada@example.org").await;
        bed.advance(86_400);
        bed.log_in("ada@example.org").await;
        assert_eq!(bed.auth.purge().await.unwrap(), 0);
        bed.advance(86_401);
        assert_eq!(bed.auth.purge().await.unwrap(), 2, "the registration and the keys");
        assert_eq!(actions(&bed).await, ["login.success"]);
    }
}
