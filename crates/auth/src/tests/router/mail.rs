use std::collections::BTreeSet;

use actix_web::test::TestRequest;
use cgcg_core::{Db, PageRequest};
use cgcg_testkit::both;
use serde_json::json;

use super::{ask, bearer, post};
use crate::tests::{Bed, CATALOGUE, PASSWORD, keys, new_account};
use crate::{Device, Settings};

async fn id_of(bed: &Bed, email: &str) -> String {
    let filter = cgcg_users::UserFilter {
        email: Some(email.parse().unwrap()),
        ..cgcg_users::UserFilter::default()
    };
    let page = bed.users.list(filter, PageRequest::default()).await;
    page.unwrap().items[0].id.to_string()
}

both! {
    async fn l8_forgot_and_resend_are_the_same_bytes_for_everybody(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for path in ["/password/forgot", "/email/resend"] {
            for email in ["ada@example.org", "nobody@example.org"] {
                let answer = post(&bed, path, json!({"email": email})).await;
                assert_eq!((answer.status, answer.text.as_str()), (202, r#"{"status":"check_email"}"#));
            }
            assert_eq!(post(&bed, path, json!({"email": "mıke@example.org"})).await.status, 422);
        }
    }

    async fn m2_links_of_mail_work_over_http_and_fail_in_one_shape(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        post(&bed, "/register", json!({"email": "ada@example.org", "password": PASSWORD})).await;
        let token = bed.token("verify").await;
        let verify = json!({"token": token.expose()});
        assert_eq!(post(&bed, "/email/verify", verify.clone()).await.status, 204);
        let mut shapes = BTreeSet::new();
        for body in [verify, json!({"token": "cgo1_AAAA"}), json!({"token": ""})] {
            let mut answer = post(&bed, "/email/verify", body).await.json();
            answer.as_object_mut().unwrap().remove("request_id");
            shapes.insert(answer.to_string());
        }
        let new = json!({"token": token.expose(), "new_password": "staple of correct horses"});
        let mut answer = post(&bed, "/password/reset", new).await.json();
        assert_eq!((&answer["status"], &answer["code"]), (&json!(400), &json!("one_time_token_invalid")));
        answer.as_object_mut().unwrap().remove("request_id");
        shapes.insert(answer.to_string());
        assert_eq!(shapes.len(), 1, "{shapes:?}");

        let token = bed.forgotten("ada@example.org").await;
        let short = json!({"token": token.expose(), "new_password": "short"});
        let error = post(&bed, "/password/reset", short).await.json()["errors"][0].clone();
        assert_eq!((&error["loc"], &error["code"]), (&json!(["body", "new_password"]), &json!("password_too_short")));
        let new = json!({"token": token.expose(), "new_password": "staple of correct horses"});
        assert_eq!(post(&bed, "/password/reset", new).await.status, 204);
    }

    async fn a4_a_password_link_needs_its_scope_and_is_never_shown(db: Db) {
        let bed = Bed::new(db).await.mailing().await;
        let ada = bed.auth.register(new_account("ada@example.org"), &Device::default()).await.unwrap();
        assert!(ada.account().is_none());
        bed.admin("root@example.org").await;
        let (root, id) = (bed.log_in("root@example.org").await, id_of(&bed, "ada@example.org").await);
        let link = |id: &str| TestRequest::post().uri(&format!("/api/v1/auth/users/{id}/password-link"));
        assert_eq!(ask(&bed, link(&id)).await.failure(), (401, "credentials_missing".to_owned()));
        let answer = ask(&bed, bearer(link(&id), &root)).await;
        assert_eq!((answer.status, answer.text.as_str()), (202, r#"{"status":"check_email"}"#));
        let nobody = "01890000-0000-7000-8000-000000000000";
        assert_eq!(ask(&bed, bearer(link(nobody), &root)).await.failure(), (404, "user_not_found".to_owned()));
    }

    async fn the_mailbox_is_for_this_machine_only(db: Db) {
        let folder = cgcg_testkit::folder();
        let mut settings = Settings::default();
        let bed = Bed::with(db.clone(), settings.clone()).await;
        let get = |path: &str| TestRequest::get().uri(path).insert_header(("host", "localhost:8000")).peer_addr("127.0.0.1:4000".parse().unwrap());
        let list = "/api/v1/auth/dev/mail";
        assert_eq!(ask(&bed, get(list)).await.failure(), (404, "path_not_found".to_owned()), "mail goes to the log");
        settings.mail.transport = crate::Transport::File;
        let host = crate::Host {
            listen: Some("127.0.0.1:8000".parse().unwrap()),
            mail_folder: Some(folder.path().join("mail")),
            ..crate::Host::default()
        };
        let bed = Bed::hosted(db, bed.clock.clone(), settings, keys(7), host);
        bed.auth.open(CATALOGUE).await.unwrap();
        assert_eq!(ask(&bed, get(list)).await.json()["items"], json!([]));
        post(&bed, "/register", json!({"email": "ada@example.org", "password": PASSWORD})).await;
        bed.auth.send_due(10).await.unwrap();
        let items = ask(&bed, get(list)).await.json()["items"].clone();
        assert_eq!((&items[0]["to"], &items[0]["template"]), (&json!("ada@example.org"), &json!("verify")));
        let one = format!("{list}/{}", items[0]["id"].as_str().unwrap());
        assert_eq!(ask(&bed, get(&one)).await.json(), items[0]);
        let link = items[0]["text"].as_str().unwrap().split_whitespace().find(|word| word.starts_with("http")).unwrap();
        for path in [list, &one] {
            let page = ask(&bed, get(path).insert_header(("accept", "text/html"))).await;
            assert!(page.header("content-type").starts_with("text/html") && page.text.contains(&format!("href=\"{link}\"")));
        }
        assert_eq!(ask(&bed, get(&format!("{list}/01890000-0000-7000-8000-000000000000"))).await.status, 404);
        for outside in [
            get(list).peer_addr("192.0.2.1:4000".parse().unwrap()),
            get(list).insert_header(("x-forwarded-for", "192.0.2.1")),
            get(list).insert_header(("forwarded", "for=192.0.2.1")),
            get(list).insert_header(("host", "evil.example:8000")),
            TestRequest::get().uri(list).insert_header(("host", "localhost")),
        ] {
            assert_eq!(ask(&bed, outside).await.failure(), (404, "path_not_found".to_owned()));
        }
    }
}
