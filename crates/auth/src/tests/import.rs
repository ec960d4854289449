use cgcg_core::{Db, Grants, Principal};
use cgcg_testkit::both;
use serde_json::{Value, json};

use super::{Bed, PASSWORD};
use crate::{Error, ImportUser, Imported, store};

/// Made of [`PASSWORD`] by passlib 1.7.4, argon2-cffi 25.1 and Django 5.2.
const HASHES: [&str; 7] = [
    "$2b$05$UJg8I2umjwAnTnyyGZiMB.lAavawthfNcG5CQIMUBPqiAh4sOyoLq",
    "$pbkdf2-sha256$1000$JYTQmpMyxjhnLGXsHaO01g$unCDOyYQczsG.VHG1tuo0ClWWJNyIQL2jAHYxxzy5NM",
    "$scrypt$ln=10,r=8,p=1$XOsdY0yJ0Tqn9F6LsRailA$YGzbR16farcQdPhMKsScWpSQHjt8l+XLRHAGza3Mmjs",
    "$bcrypt-sha256$v=2,t=2b,r=5$WjT5pMd2Z1hienJi1fnYWu$RjBCDTinUfC1lFbMhxXFc26ZEj5Lkgm",
    "$argon2id$v=19$m=1024,t=2,p=2$GgPAuLeW8t6bk9I6p1Qq5Q$vWFo98SxuyRppxng/z0xkgn5svQ8DXMdP9zxywJ0XSQ",
    "pbkdf2_sha256$1000$iYaGIkmr9PjAYyuaMxJQe2$xLD5zomQFwxyYlVxZYZrpeyl/MEFcIk+3GwD0WeW5A8=",
    "bcrypt_sha256$$2b$05$eVr.NinZRXO4uqtfCaXPpezTl8XVI5jc.FvniH5HzSXsICXMiM9MC",
];

fn user(row: Value) -> ImportUser {
    serde_json::from_value(row).unwrap()
}

fn with_hash(at: usize) -> ImportUser {
    user(json!({"email": format!("user{at}@example.org"), "password_hash": HASHES[at]}))
}

async fn import(bed: &Bed, users: &[ImportUser]) -> Vec<Imported> {
    bed.auth
        .import(&Principal::operator(), users)
        .await
        .unwrap()
}

/// What is stored of the password of an account that was made.
async fn hash_of(bed: &Bed, made: &Imported) -> Option<String> {
    let Imported::Made(id) = made else {
        panic!("{made:?}")
    };
    let mut conn = bed.db.read().await.unwrap();
    let known = store::passwords::known(&mut conn, *id).await.unwrap();
    known.map(|known| known.hash)
}

both! {
    async fn accounts_of_others_log_in_here_and_get_a_hash_of_ours(db: Db) {
        let bed = Bed::new(db).await;
        let users: Vec<_> = (0..HASHES.len()).map(with_hash).collect();
        let made = import(&bed, &users).await;
        for (at, made) in made.iter().enumerate() {
            let login = format!("user{at}@example.org");
            assert!(matches!(bed.try_log_in(&login, "wrong password 1").await, Err(Error::InvalidCredentials)));
            assert_eq!(hash_of(&bed, made).await.as_deref(), Some(HASHES[at]));
            bed.log_in(&login).await;
            let hash = hash_of(&bed, made).await.unwrap();
            assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
            bed.log_in(&login).await;
            assert_eq!(hash_of(&bed, made).await.unwrap(), hash);
        }
    }

    async fn an_import_brings_names_roles_and_what_is_proved(db: Db) {
        let bed = Bed::new(db).await;
        let all = user(json!({
            "email": "Ada@Example.org", "username": "ada", "display_name": "Ada", "locale": "en-GB",
            "password_hash": HASHES[0], "email_verified": true, "roles": ["admin"],
        }));
        let [Imported::Made(id)] = import(&bed, &[all]).await[..] else { panic!() };
        let ada = bed.users.get(id).await.unwrap();
        assert!(ada.email_verified_at.is_some());
        let tokens = bed.log_in("ada").await;
        assert!(bed.who(&tokens).await.unwrap().grants.allow("users:write"));
        let plain = import(&bed, &[with_hash(1)]).await;
        assert!(matches!(plain[..], [Imported::Made(_)]));
        let tokens = bed.log_in("user1@example.org").await;
        let grants = bed.who(&tokens).await.unwrap().grants.clone();
        assert!(grants.allow("tasks:read") && !grants.allow("users:write"));
        assert_eq!(bed.audited("import", "success").await, 2);
        assert_eq!(bed.published.count("users.created"), 2);
    }

    async fn an_import_that_is_repeated_leaves_what_is_there(db: Db) {
        let bed = Bed::new(db).await;
        bed.register("user0@example.org").await;
        let users: Vec<_> = (0..3).map(with_hash).collect();
        let first = import(&bed, &users[..2]).await;
        assert_eq!(first[0], Imported::Present);
        assert!(matches!(first[1], Imported::Made(_)));
        let second = import(&bed, &users).await;
        assert_eq!(second[..2], [Imported::Present, Imported::Present]);
        assert!(matches!(second[2], Imported::Made(_)));
        // Its own password, not the one of the file.
        let hash = store::passwords::known(&mut bed.db.read().await.unwrap(), bed.users_id("user0@example.org").await).await.unwrap();
        assert!(hash.unwrap().hash.starts_with("$argon2id$"));
        let twice = import(&bed, &[with_hash(3), with_hash(3)]).await;
        assert_eq!(twice[1], Imported::Present);
    }

    async fn what_cannot_be_made_is_named_without_its_value_and_stops_nobody(db: Db) {
        let bed = Bed::new(db).await;
        let secret = "$2b$31$Xvisetbi9C1WMSMe99nUQubsvGpDIzZq/mb.CqyaE2aV4fhxeWw5C";
        let rows = [
            (json!({"email": "no address"}), "email", "email_invalid"),
            (json!({"email": "a@example.org", "username": "A@b"}), "username", "username_invalid"),
            (json!({"email": "a@example.org", "username": "taken"}), "username", "username_taken"),
            (json!({"email": "a@example.org", "display_name": "a\nb"}), "display_name", "display_name_invalid"),
            (json!({"email": "a@example.org", "locale": "?"}), "locale", "locale_invalid"),
            // They passed here once, and whoever stores accounts refused them: all others of the call were lost.
            (json!({"email": "a@example.org", "locale": "123"}), "locale", "locale_invalid"),
            (json!({"email": "a@example.org", "locale": "en--US"}), "locale", "locale_invalid"),
            (json!({"email": "a@example.org", "roles": ["user", "king"]}), "roles", "role_unknown"),
            (json!({"email": "a@example.org", "password_hash": secret}), "password_hash", "password_hash_invalid"),
            (json!({"email": "a@example.org", "password_hash": "plain"}), "password_hash", "password_hash_invalid"),
        ];
        let mut users = vec![user(json!({"email": "first@example.org", "username": "taken"}))];
        users.extend(rows.iter().map(|(row, ..)| user(row.clone())));
        users.push(with_hash(0));
        let outcomes = import(&bed, &users).await;
        for (outcome, (row, expected, code)) in outcomes[1..].iter().zip(&rows) {
            let Imported::Refused { field, invalid } = outcome else { panic!("{row}: {outcome:?}") };
            assert_eq!((field, &invalid.code), (expected, code));
            assert!(!format!("{outcome:?}{:?}", users[9]).contains("Xvisetbi"));
        }
        assert!(matches!(outcomes[..], [Imported::Made(_), .., Imported::Made(_)]));
        assert!(matches!(bed.try_log_in("a@example.org", "plain").await, Err(Error::InvalidCredentials)));
    }

    async fn an_account_without_a_password_is_made_and_nobody_logs_in(db: Db) {
        let bed = Bed::new(db).await;
        let rows = [json!(null), json!(""), json!("!MYObafJ3lqwkcVj15skJF7lcsIkAvKAzuzwdQLEQ")];
        for (at, hash) in rows.iter().enumerate() {
            let made = import(&bed, &[user(json!({"email": format!("u{at}@example.org"), "password_hash": hash}))]).await;
            assert_eq!(hash_of(&bed, &made[0]).await, None);
            for password in ["", "!", PASSWORD] {
                let outcome = bed.try_log_in(&format!("u{at}@example.org"), password).await;
                assert!(matches!(outcome, Err(Error::InvalidCredentials)));
            }
        }
    }

    async fn a_try_makes_nothing_and_answers_the_same(db: Db) {
        let bed = Bed::new(db).await;
        let users = [with_hash(0), user(json!({"email": "?"}))];
        let tried = bed.auth.try_import(&Principal::operator(), &users).await.unwrap();
        assert!(matches!(tried[..], [Imported::Made(_), Imported::Refused { .. }]));
        assert!(matches!(bed.try_log_in("user0@example.org", PASSWORD).await, Err(Error::InvalidCredentials)));
        assert_eq!(bed.audited("import", "success").await, 0);
        assert!(matches!(import(&bed, &users).await[..], [Imported::Made(_), Imported::Refused { .. }]));
    }

    async fn only_who_may_do_everything_imports(db: Db) {
        let bed = Bed::new(db).await;
        let mut clerk = Principal::operator();
        clerk.grants = ["users:write"].into_iter().collect::<Grants>();
        let refused = bed.auth.import(&clerk, &[with_hash(0)]).await;
        assert!(matches!(refused, Err(Error::ScopeNotHeld)));
        let many: Vec<_> = (0..1_001).map(|_| with_hash(0)).collect();
        let refused = bed.auth.import(&Principal::operator(), &many).await;
        assert!(matches!(refused, Err(Error::Invalid { field: "users", .. })));
    }

    async fn the_dearest_hash_that_is_stored_is_found_by_its_cost(db: Db) {
        let bed = Bed::new(db).await;
        let costs = async || {
            let mut conn = bed.db.read().await.unwrap();
            let mut found = store::passwords::one_of_each_cost(&mut conn, 64).await.unwrap();
            found.sort();
            found
        };
        assert!(costs().await.is_empty());
        import(&bed, &[with_hash(0), with_hash(1), with_hash(3)]).await;
        let found = costs().await;
        // Both of bcrypt cost the same.
        assert_eq!(found.len(), 2);
        assert!(found.contains(&HASHES[1].to_owned()));
        for at in [0, 1, 3] {
            bed.log_in(&format!("user{at}@example.org")).await;
        }
        let found = costs().await;
        assert!(found.len() == 1 && found[0].starts_with("$argon2id$v=19$m=19456"), "{found:?}");
        bed.auth.time_hashes().await.unwrap();
    }

    async fn hashes_that_another_process_imports_are_timed_at_the_next_look(db: Db) {
        let bed = Bed::new(db).await;
        let mut timed = None;
        let look = async |timed: &mut Option<_>| {
            bed.advance(60);
            bed.auth.time_new_hashes(timed).await.unwrap();
            timed.as_ref().map(|timed: &crate::service::Timed| (timed.costs.len(), timed.at)).unwrap()
        };
        let first = look(&mut timed).await;
        assert_eq!((first.0, look(&mut timed).await), (0, first), "nothing new");
        import(&bed.second().await, &[with_hash(0), with_hash(1)]).await;
        let second = look(&mut timed).await;
        assert!(second.0 == 2 && second.1 > first.1);
        import(&bed.second().await, &[with_hash(3)]).await;
        assert_eq!(look(&mut timed).await, second, "the cost is known");
        bed.advance(86_400);
        assert!(look(&mut timed).await.1 > second.1, "once a day in any case");
    }
}
