use super::*;
use crate::tests::PASSWORD;
use crate::{EmailVerification, ImportUser, Settings};
use cgcg_core::Principal;

/// passlib, of [`PASSWORD`].
const BCRYPT: &str = "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq";

/// One of each kind that a login is refused to, on a node that wants addresses to be proved.
async fn crowd(db: Db) -> Bed {
    let bed = Bed::new(db.clone()).await;
    for name in ["wrong", "disabled"] {
        let user: ImportUser = serde_json::from_value(json!({
            "email": format!("{name}@example.org"), "email_verified": true, "password_hash": BCRYPT,
        }))
        .unwrap();
        bed.auth
            .import(&Principal::operator(), &[user])
            .await
            .unwrap();
        bed.log_in(&format!("{name}@example.org")).await;
    }
    bed.register("unverified@example.org").await;
    let rows = [
        json!({"email": "none@example.org", "email_verified": true}),
        json!({"email": "imported@example.org", "email_verified": true, "password_hash": BCRYPT}),
    ];
    let users = rows.map(|row| serde_json::from_value::<ImportUser>(row).unwrap());
    bed.auth
        .import(&Principal::operator(), &users)
        .await
        .unwrap();
    let disabled = bed.users_id("disabled@example.org").await;
    bed.users
        .disable(&Principal::operator(), disabled)
        .await
        .unwrap();
    let mut settings = Settings::default();
    settings.registration.email_verification = Some(EmailVerification::Required);
    Bed::with(db, settings).await
}

async fn post_as(bed: &Bed, path: &str, tokens: &Tokens, body: Value) -> Answer {
    let request = TestRequest::post().uri(&format!("/api/v1/auth{path}"));
    ask(bed, bearer(request.set_json(body), tokens)).await
}

both! {
    async fn l1_a_refused_login_is_one_answer_whatever_is_known_of_the_name(db: Db) {
        let bed = crowd(db).await;
        let logins = [
            "absent@example.org", "wrong@example.org", "disabled@example.org", "unverified@example.org",
            "none@example.org", "imported@example.org", "no login @", "absent", "A@",
        ];
        for door in ["/login", "/token"] {
            let mut answers = Vec::new();
            for login in logins {
                let answer = match door {
                    "/login" => post(&bed, "/login", json!({"login": login, "password": "wrong password 1"})).await,
                    _ => form(&bed, &format!("grant_type=password&username={login}&password=wrong")).await,
                };
                let mut body = answer.json();
                assert!(body.as_object_mut().unwrap().remove("request_id").is_some());
                // Their order is chance here; the id of the request is its own.
                let mut headers: Vec<_> = answer.headers.iter()
                    .filter(|(name, _)| *name != "x-request-id")
                    .map(|(name, value)| format!("{name}: {value:?}"))
                    .collect();
                headers.sort();
                answers.push((answer.status, headers, body.to_string(), login));
            }
            for answer in &answers {
                assert_eq!((answer.0, &answer.1, &answer.2), (answers[0].0, &answers[0].1, &answers[0].2), "{door} {}", answer.3);
            }
        }
    }

    async fn l6_a_right_password_learns_what_is_wrong_on_both_doors(db: Db) {
        let bed = crowd(db).await;
        for (name, status, code) in [("disabled", 403, "account_disabled"), ("unverified", 401, "invalid_credentials")] {
            let login = format!("{name}@example.org");
            let answer = post(&bed, "/login", json!({"login": login, "password": PASSWORD})).await;
            assert_eq!(answer.failure(), (status, code.to_owned()));
            let answer = form(&bed, &GOOD.replace("ada%40example.org", &login)).await;
            assert_eq!((answer.failure(), &answer.json()["error"]), ((400, code.to_owned()), &json!("invalid_grant")));
        }
    }

    async fn l10_a_user_name_that_equals_an_address_is_refused(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for name in ["ada@example.org", "ada@", "@ada", "Ada@Example.org", "ada\u{ff20}example.org"] {
            let new = json!({"email": "eve@example.org", "password": PASSWORD, "username": name});
            let answer = post(&bed, "/register", new).await;
            assert_eq!((answer.status, &answer.json()["errors"][0]["code"]), (422, &json!("username_invalid")), "{name}");
        }
    }

    async fn l3_a_body_with_a_password_that_is_too_long_is_refused_before_it_is_read(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("ada@example.org").await;
        for login in ["ada@example.org", "eve@example.org"] {
            for (size, status, code) in [
                (73, 401, "invalid_credentials"),
                (129, 422, "validation_failed"),
                (1 << 10, 422, "validation_failed"),
                (1 << 20, 413, "body_too_large"),
            ] {
                let body = json!({"login": login, "password": "x".repeat(size)});
                assert_eq!(post(&bed, "/login", body).await.failure(), (status, code.to_owned()), "{login} {size}");
            }
        }
    }

    async fn a_password_is_changed_over_http(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let body = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
        let change = async |body: Value| post_as(&bed, "/password/change", &tokens, body).await;
        let none = post(&bed, "/password/change", body(PASSWORD, "another horse battery")).await;
        assert_eq!(none.failure(), (401, "credentials_missing".to_owned()));
        let wrong = change(body("wrong password 1", "another horse battery")).await;
        assert_eq!(wrong.failure(), (403, "wrong_password".to_owned()));
        let common = change(body(PASSWORD, "Password12345")).await;
        let error = common.json()["errors"][0].clone();
        assert_eq!((&error["loc"], &error["code"]), (&json!(["body", "new_password"]), &json!("password_too_common")));
        let mut unknown = body(PASSWORD, "another horse battery");
        unknown["id"] = json!(1);
        assert_eq!(change(unknown).await.status, 422);
        let changed = change(body(PASSWORD, "another horse battery")).await;
        assert_eq!((changed.status, changed.header("cache-control")), (200, "no-store"));
        let names: Vec<String> = changed.json().as_object().unwrap().keys().cloned().collect();
        assert_eq!(names, ["access_token", "expires_in", "token_type"]);
        assert_eq!(change(body(PASSWORD, "another horse battery")).await.failure(), (401, "token_stale".to_owned()));
    }

    async fn a_login_is_proved_once_more_over_http(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let wrong = post_as(&bed, "/reauthenticate", &tokens, json!({"password": "wrong password 1"})).await;
        assert_eq!(wrong.failure(), (403, "wrong_password".to_owned()));
        let right = post_as(&bed, "/reauthenticate", &tokens, json!({"password": PASSWORD})).await;
        assert_eq!((right.status, right.header("cache-control")), (200, "no-store"));
        assert!(right.json()["access_token"].is_string());
        assert!(right.json().get("refresh_token").is_none());
    }

    async fn b1_guessing_with_a_stolen_access_token_is_counted_too(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        for _ in 0..6 {
            post_as(&bed, "/reauthenticate", &tokens, json!({"password": "wrong password 1"})).await;
        }
        let refused = post_as(&bed, "/reauthenticate", &tokens, json!({"password": PASSWORD})).await;
        assert_eq!(refused.failure(), (429, "throttled".to_owned()));
    }

    async fn an_old_password_gets_a_token_to_change_it(db: Db) {
        let bed = Bed::new(db).await;
        let user: ImportUser = serde_json::from_value(json!({
            "email": "ada@example.org", "password_hash": BCRYPT, "must_change": true,
        })).unwrap();
        bed.auth.import(&Principal::operator(), &[user]).await.unwrap();
        let answer = post(&bed, "/login", json!({"login": "ada@example.org", "password": PASSWORD})).await;
        assert_eq!(answer.failure(), (403, "password_change_required".to_owned()));
        assert!(answer.json()["reset_token"].as_str().unwrap().starts_with("cgo1_"));
        let answer = form(&bed, GOOD).await;
        assert_eq!(answer.failure(), (400, "password_change_required".to_owned()));
        assert!(!answer.text.contains("cgo1_"));
    }
}
