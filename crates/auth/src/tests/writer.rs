//! SQLite has one writer: whoever holds it must not ask for it again.

use std::path::Path;

use cgcg_core::{Db, DbSettings, Principal, Span};
use serde_json::json;

use super::mailbox::token;
use super::setup::set_up;
use super::{Bed, PASSWORD, new_account, secret};
use crate::{Device, EmailChange, PasswordChange, PasswordReset, Settings};

const OTHER: &str = "staple of correct horses";

/// A database whose writer comes soon, or never: who waits for themselves fails.
async fn impatient(folder: &Path) -> Db {
    let settings = DbSettings {
        url: format!("sqlite:{}/cgcg.db", folder.display()).into(),
        wait: Span::seconds(1),
        ..DbSettings::default()
    };
    Db::open(&settings).await.unwrap()
}

#[test]
fn u3_no_act_over_an_account_waits_for_the_writer_that_it_holds() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let bed = Bed::new(impatient(folder.path()).await).await;
        let (operator, here) = (Principal::operator(), Device::default());
        let link = bed.auth.setup_token().await.unwrap().unwrap();
        set_up(&bed, &link, "root@example.org").await.unwrap();
        let ada = bed.register("ada@example.org").await;
        let tokens = bed.log_in("ada@example.org").await;
        let tokens = bed
            .auth
            .refresh(&tokens.refresh_token, &here)
            .await
            .unwrap();
        let by = bed.who(&tokens).await.unwrap();
        let change = EmailChange {
            new_email: "ada@example.com".parse().unwrap(),
            password: secret(PASSWORD),
        };
        bed.auth.change_email(&by, change, &here).await.unwrap();
        let tokens = bed.log_in("ada@example.com").await;
        let by = bed.who(&tokens).await.unwrap();
        let change = PasswordChange {
            current_password: secret(PASSWORD),
            new_password: secret(OTHER),
            keep_other_sessions: false,
        };
        bed.auth.change_password(&by, &change, &here).await.unwrap();
        bed.give(ada.id, &["admin"]).await;
        let new = serde_json::from_value(json!({ "email": "ada@example.net" })).unwrap();
        bed.users
            .update(&operator, ada.id, new, None)
            .await
            .unwrap();
        bed.users.disable(&operator, ada.id).await.unwrap();
        bed.users.enable(&operator, ada.id).await.unwrap();
        let row = json!({ "email": "bob@example.org", "password_hash": null });
        let rows = [serde_json::from_value(row).unwrap()];
        bed.auth.import(&operator, &rows).await.unwrap();
        bed.users.remove(&operator, ada.id).await.unwrap();
        bed.auth.purge().await.unwrap();
    });
}

#[test]
fn u3_no_link_of_a_mail_waits_for_the_writer_that_it_holds() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let bed = Bed::with_mail(impatient(folder.path()).await, Settings::default()).await;
        let here = Device::default();
        let email = || "ada@example.org".parse().unwrap();
        let new = new_account("ada@example.org");
        bed.auth.register(new, &here).await.unwrap();
        bed.mails().await;
        bed.auth.resend_verification(email(), &here).await.unwrap();
        let link = bed.token("verify").await;
        bed.auth.verify_email(&link, &here).await.unwrap();
        bed.auth.forgot(email(), &here).await.unwrap();
        let new = PasswordReset {
            token: bed.token("reset").await,
            new_password: secret(OTHER),
        };
        bed.auth.reset(&new, &here).await.unwrap();
        let tokens = bed.try_log_in("ada@example.org", OTHER).await.unwrap();
        let by = bed.who(&tokens).await.unwrap();
        bed.mails().await;
        let change = EmailChange {
            new_email: "ada@example.com".parse().unwrap(),
            password: secret(OTHER),
        };
        bed.auth.change_email(&by, change, &here).await.unwrap();
        let mails = bed.mails().await;
        bed.auth
            .verify_email(&token(&mails[0]), &here)
            .await
            .unwrap();
        bed.try_log_in("ada@example.com", OTHER).await.unwrap();
    });
}
