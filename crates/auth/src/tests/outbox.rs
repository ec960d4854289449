use cgcg_core::{Conn, Db, on};
use cgcg_testkit::{both, eventually};
use tokio_util::sync::CancellationToken;

use super::mailbox::token;
use super::{Bed, new_account};
use crate::{Device, MailError, Settings};

async fn forget(bed: &Bed, email: &str) {
    let email = email.parse().unwrap();
    bed.auth.forgot(email, &Device::default()).await.unwrap();
    bed.auth.errands_end().await;
}

async fn waiting(conn: &mut Conn) -> i64 {
    on!(conn, |c| sqlx::query_scalar(
        "select count(*) from auth_outbox"
    )
    .fetch_one(c)
    .await)
    .unwrap()
}

async fn given_up(conn: &mut Conn) -> Vec<String> {
    let sql = "select outcome from auth_audit where action = 'email.undeliverable'";
    on!(conn, |c| sqlx::query_scalar(sql).fetch_all(c).await).unwrap()
}

both! {
    async fn a_mail_that_fails_comes_again_later_and_is_given_up_after_eight_tries(db: Db) {
        let bed = Bed::new(db).await.mailing().await;
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        bed.mailbox.fail(Some(MailError::Retry("no route to host".to_owned())));
        let (mut pause, mut tries) = (30, 0);
        while waiting(&mut bed.db.read().await.unwrap()).await > 0 {
            assert_eq!(bed.auth.send_due(10).await.unwrap(), 1, "try {tries}");
            assert_eq!(bed.auth.send_due(10).await.unwrap(), 0, "not before its time");
            bed.advance(pause - 1);
            assert_eq!(bed.auth.send_due(10).await.unwrap(), 0, "not before its time");
            bed.advance(1);
            (pause, tries) = (pause * 2, tries + 1);
        }
        assert_eq!(tries, 8);
        assert_eq!(given_up(&mut bed.db.read().await.unwrap()).await, ["given_up"]);
    }

    async fn a_mail_that_comes_again_is_the_same_mail(db: Db) {
        let bed = Bed::new(db).await.mailing().await;
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        bed.mailbox.fail(Some(MailError::Retry("no route to host".to_owned())));
        bed.auth.send_due(10).await.unwrap();
        bed.mailbox.fail(None);
        bed.advance(30);
        let mails = bed.mails().await;
        assert_eq!((mails.len(), mails[0].template), (1, "verify"));
        bed.auth.verify_email(&token(&mails[0]), &Device::default()).await.unwrap();
    }

    async fn an_address_that_no_server_takes_is_given_up_at_once(db: Db) {
        let bed = Bed::new(db).await.mailing().await;
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        bed.mailbox.fail(Some(MailError::Permanent("550".to_owned())));
        bed.auth.send_due(10).await.unwrap();
        assert_eq!(waiting(&mut bed.db.read().await.unwrap()).await, 0);
        assert_eq!(given_up(&mut bed.db.read().await.unwrap()).await, ["refused"]);
    }

    async fn a_link_that_made_room_for_a_newer_one_is_not_mailed(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        let bed = bed.mailing().await;
        forget(&bed, "ada@example.org").await;
        forget(&bed, "ada@example.org").await;
        assert_eq!(bed.mailed().await.len(), 1);
        forget(&bed, "ada@example.org").await;
        bed.advance(30 * 60);
        assert_eq!(bed.mailed().await, []);
    }

    async fn two_nodes_send_each_mail_once(db: Db) {
        let bed = Bed::new(db).await;
        for at in 0..20 {
            bed.register(&format!("ada{at}@example.org")).await;
        }
        let (one, two) = (bed.mailing().await, bed.mailing().await);
        for at in 0..20 {
            forget(&one, &format!("ada{at}@example.org")).await;
        }
        let send = async |bed: &Bed| while bed.auth.send_due(3).await.unwrap() > 0 {};
        tokio::join!(send(&one), send(&two), send(&one), send(&two));
        let mut ids: Vec<_> = one.mailbox.take().into_iter().chain(two.mailbox.take()).map(|mail| mail.id).collect();
        ids.sort_unstable();
        ids.dedup();
        assert_eq!(ids.len(), 20);
        assert_eq!(waiting(&mut bed.db.read().await.unwrap()).await, 0);
    }

    async fn a_node_that_dies_while_it_sends_loses_nothing(db: Db) {
        let bed = Bed::new(db).await.mailing().await;
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        let mut conn = bed.db.begin().await.unwrap();
        let now = cgcg_core::Clock::now(&bed.clock);
        let until = now + std::time::Duration::from_secs(300);
        assert_eq!(crate::store::outbox::claim(&mut conn, now, until, 10).await.unwrap().len(), 1);
        conn.commit().await.unwrap();
        assert_eq!(bed.mailed().await, []);
        bed.advance(300);
        assert_eq!(bed.mailed().await.len(), 1);
    }

    async fn the_worker_sends_when_there_is_mail_and_no_time_passes(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        let worker = bed.auth.workers().into_iter().find(|worker| worker.name == "auth.mail").unwrap();
        let cancel = CancellationToken::new();
        let running = tokio::spawn((worker.start)(cancel.clone()));
        bed.clock.wait_for_sleepers(1).await;
        bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        let mut mails = Vec::new();
        eventually("a mail", async || {
            mails.extend(bed.mailbox.take());
            !mails.is_empty()
        })
        .await;
        cancel.cancel();
        running.await.unwrap().unwrap();
    }

    async fn a_deleted_account_gets_no_mail_any_more(db: Db) {
        let bed = Bed::new(db).await;
        let ada = bed.register("ada@example.org").await;
        let bed = bed.mailing().await;
        forget(&bed, "ada@example.org").await;
        bed.users.remove(&cgcg_core::Principal::operator(), ada.id).await.unwrap();
        assert_eq!(bed.mailed().await, []);
        assert_eq!(waiting(&mut bed.db.read().await.unwrap()).await, 0);
    }
}
