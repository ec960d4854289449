//! Whoever steals the database.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{Conn, Db, Denied, Engine, Id, Principal, Session, on};
use cgcg_testkit::both;
use sqlx::AssertSqlSafe;

use super::{Bed, PASSWORD, from, keys, secret};
use crate::refresh::RefreshToken;
use crate::{Device, Error, Settings};

/// All that a copy of the database holds: the files of SQLite, every row of PostgreSQL.
async fn stolen(db: &Db) -> Vec<u8> {
    let mut conn = db.read().await.unwrap();
    match conn.engine() {
        Engine::Sqlite => {
            let sql = "select file from pragma_database_list where name = 'main'";
            let [file] = &texts(&mut conn, sql.to_owned()).await[..] else {
                panic!("not one file")
            };
            let log = std::fs::read(format!("{file}-wal")).unwrap_or_default();
            [std::fs::read(file).unwrap(), log].concat()
        }
        Engine::Postgres => {
            let sql = "select table_name::text from information_schema.tables where table_schema = 'public'";
            let mut rows = Vec::new();
            for table in texts(&mut conn, sql.to_owned()).await {
                rows.extend(texts(&mut conn, format!("select t::text from {table} t")).await);
            }
            rows.join("\n").into_bytes()
        }
    }
}

async fn texts(conn: &mut Conn, sql: String) -> Vec<String> {
    on!(conn, |c| sqlx::query_scalar(AssertSqlSafe(sql))
        .fetch_all(c)
        .await
        .unwrap())
}

fn hex(bytes: &[u8]) -> Vec<u8> {
    let text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.into_bytes()
}

/// As it was given out; the bytes that it stands for, and as PostgreSQL writes either.
fn forms(text: &str) -> Vec<Vec<u8>> {
    let mut forms = vec![text.as_bytes().to_vec(), hex(text.as_bytes())];
    // Behind the prefix stand public ids, and at the end the MAC that makes them worth something.
    let body = text.split_once('_').map_or(text, |(_, body)| body);
    if let Some(bytes) = URL_SAFE_NO_PAD
        .decode(body)
        .ok()
        .filter(|bytes| bytes.len() > 16)
    {
        let mac = &bytes[bytes.len() - 16..];
        forms.extend([mac.to_vec(), hex(mac)]);
    }
    forms
}

fn holds(all: &[u8], part: &[u8]) -> bool {
    all.windows(part.len()).any(|window| window == part)
}

both! {
    async fn r12_no_credential_is_in_a_stolen_database(db: Db) {
        let bed = Bed::with_mail(db, Settings::default()).await;
        let mut secrets = vec![PASSWORD.to_owned(), "a wrong password".to_owned(), "staple of correct horses".to_owned()];
        secrets.push(bed.auth.setup_token().await.unwrap().unwrap().expose().clone());
        bed.admin("root@example.org").await;
        let first = bed.log_in("root@example.org").await;
        let second = bed.auth.refresh(&first.refresh_token, &Device::default()).await.unwrap();
        for tokens in [&first, &second] {
            secrets.extend([tokens.access_token.expose().clone(), tokens.refresh_token.expose().clone()]);
        }
        let by = bed.who(&second).await.unwrap();
        let machine = bed.machine("robot", &["admin"]).await;
        let new = serde_json::from_value(serde_json::json!({"name": "mine", "scopes": ["users:write"]})).unwrap();
        let robots = bed.auth.create_service_key(&Principal::operator(), machine.id, new, &Device::default()).await.unwrap();
        for key in [bed.key(&by, &["users:write"]).await, robots] {
            bed.who_has(&key).await.unwrap();
            secrets.push(key.key.expose().clone());
        }
        bed.log_in_from("192.0.2.1", "root@example.org", "a wrong password").await.unwrap_err();
        bed.log_in_from("192.0.2.1", "staple of correct horses", "x").await.unwrap_err();
        bed.auth.forgot("root@example.org".parse().unwrap(), &from("192.0.2.1")).await.unwrap();
        bed.auth.errands_end().await;
        // Once while the mail waits, and once when it has gone.
        let waiting = stolen(&bed.db).await;
        secrets.push(bed.token("reset").await.expose().clone());
        let sent = stolen(&bed.db).await;
        assert!(holds(&sent, b"root@example.org"), "this is no copy of the database");
        for secret in &secrets {
            for form in forms(secret) {
                assert!(!holds(&waiting, &form) && !holds(&sent, &form), "{secret}");
            }
        }
    }

    async fn r12_a_stolen_database_forges_nothing(db: Db) {
        let bed = Bed::new(db).await;
        let tokens = bed.person("ada@example.org").await;
        let key = bed.key(&bed.who(&tokens).await.unwrap(), &["tasks:read"]).await;
        let sql = "select id, salt, gen from auth_sessions";
        let mut conn = bed.db.read().await.unwrap();
        let (session, salt, generation): (Id<Session>, Vec<u8>, i64) =
            on!(&mut conn, |c| sqlx::query_as(sql).fetch_one(c).await.unwrap());
        let hash: Vec<u8> = on!(&mut conn, |c| sqlx::query_scalar("select secret_hash from auth_api_keys").fetch_one(c).await.unwrap());
        drop(conn);
        let thief = keys(9).derive("refresh").unwrap();
        for generation in [generation, generation + 1] {
            let forged = RefreshToken::write(&thief, &salt, session, generation);
            let refused = bed.auth.refresh(&forged, &Device::default()).await;
            assert!(matches!(refused, Err(Error::InvalidGrant)));
        }
        let hash = String::from_utf8(hex(&hash)).unwrap();
        for forged in [hash.clone(), format!("cgk1_{hash}"), format!("cgk1_{}", &hash[..33])] {
            assert_eq!(bed.who_shows(&forged).await.unwrap_err(), Denied::Invalid);
        }
        let hashed = bed.try_log_in("ada@example.org", &hash).await;
        assert!(matches!(hashed, Err(Error::InvalidCredentials)));
        // Nothing of that has harmed the owner.
        bed.who_has(&key).await.unwrap();
        bed.auth.refresh(&secret(tokens.refresh_token.expose()), &Device::default()).await.unwrap();
    }
}
