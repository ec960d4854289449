use super::*;
use crate::password::BcryptOver72;
use crate::password::scheme::Scheme;

/// Made by passlib 1.7.4 with bcrypt 4.0.1, by argon2-cffi 25.1 and by Django 5.2.
const MADE_BY_OTHERS: [&str; 15] = [
    "$argon2id$v=19$m=1024,t=2,p=2$3HtPidEag/CeU4oxRujd2w$rEiQg/iEjDMvlzhATdQmmnwqEu4xRPulvcOL0W/4ix0",
    "$argon2i$v=19$m=1024,t=3,p=1$EkLIGcP4/z8HoLQWYgwhpA$zoxO2FQkcTBUZ4qRPN1KyB66KxdacKJtrbTjsFssi1Q",
    "argon2$argon2id$v=19$m=1024,t=2,p=2$U2lQOWx5MnBoUjVKRjZiaGxaaTVURA$IOssSkT2xRBVBiudhBugmUBcdcF1gayYWA8HR83R1aE",
    "$2b$05$Xvisetbi9C1WMSMe99nUQubsvGpDIzZq/mb.CqyaE2aV4fhxeWw5C",
    "$2a$05$NEo1nLUrbqA4Odh1t2jIa.BMYb7RGteb6TGgq5/dzp2uRjfSYVw3G",
    "$2y$05$mi5LVR1kBVodXZSKB5Gzm.Is9fU15uNK164uNJBu9.b93sKPuMmxi",
    "bcrypt$$2b$05$q48RUjIi7D.gw472fYkotOPbCJ3FuOZT8QHmkdcY1eFZ.hVq91PL2",
    "$bcrypt-sha256$v=2,t=2b,r=5$otpo0vmaKjK0IInX1QdWFe$UvLjPaUJFC.ClDQDUCWeswifAAVaRNy",
    "$bcrypt-sha256$2b,5$gy1NTebVWBckZiQsbvyHu.$7CNKvAyQmxA195cFk2XvM/jRW2bn5ra",
    "$bcrypt-sha256$2a,5$EeYxI0xs1i.WyPJhWjrf3O$7a08wovpRs2iW4aEwUWX9nRNP5onkSK",
    "bcrypt_sha256$$2b$05$au6ilTg0JTFBWloAMbbHseWbg.YFtMacREyPbIr9ap0rL4JcHnVnW",
    "$pbkdf2-sha256$1000$YizlfG8t5fyfc26N0fp/7w$GHE7v3ebjq9Trf6JCOD8JFj8h08Cw.uGGOKKhJTNQ3A",
    "pbkdf2_sha256$1000$ARxEpWeDiYRXADOsHkHlo8$tQmoohHfqJqLqBKSH1MZQvRSlGnf3xiA4Ujw88FJghc=",
    "$scrypt$ln=10,r=8,p=1$bg0BoNR6TwlhrLW2VipFSA$wcraQaOObNT7G+60LgRGXBCcPhiMjmgQ5FiHsogQcG0",
    "scrypt$1024$b5iOTWc6BBrzrhD0aNU6MI$8$5$nne7gJY4inqwpcWO5GDZnBDwjKahDWK0yQRlNbuy4CjUkjqX+/Kb0TP9FpYPZBmyoDOP13FVe7oQaCSAduCFVw==",
];
/// What all of them were made of.
const MADE_OF: &str = "Zürich ☕ horse battery";

const REPLACED: Verdict = Verdict {
    matches: true,
    rehash: true,
    unusable: false,
};
const UNUSABLE: Verdict = Verdict {
    matches: false,
    rehash: false,
    unusable: true,
};

fn pool_of(memory: Size) -> Pool {
    let settings = PoolSettings {
        memory,
        threads: 2,
        wait: Span::seconds(2),
    };
    Pool::new(CHEAP, settings, Arc::new(TestClock::default()))
}

async fn check(pool: &Pool, text: &str, stored: &str) -> Verdict {
    let stored = Some(Stored::imported(stored));
    pool.verify(&secret(text), stored).await.unwrap()
}

#[test]
fn hashes_of_passlib_and_django_match_and_are_replaced() {
    run(async {
        let pool = pool_of(Size::mib(4));
        for stored in MADE_BY_OTHERS {
            assert_eq!(check(&pool, MADE_OF, stored).await, REPLACED, "{stored}");
            for other in ["", "Zurich ☕ horse battery", "Zürich ☕ horse battery "] {
                assert_eq!(check(&pool, other, stored).await, NO, "{other:?} {stored}");
            }
            assert!(pool.load().memory_bytes <= 4 << 20);
        }
    });
}

#[test]
fn imported_hashes_know_the_bytes_as_they_were_sent() {
    run(async {
        let pool = pool_of(Size::mib(4));
        // passlib, of `MADE_OF` after normalisation to form D, and of a text with NUL.
        let decomposed = "$pbkdf2-sha256$1000$IQQg5FzL.d97LwVAiLFW6g$eALYBQq2y/dKmvNKB6ygMsA9UCpyvBb6Wx7.od6bB1Q";
        let nul = "$pbkdf2-sha256$1000$RChl7P2fc875/99bS8lZaw$RYHZxyjbf6sD7Aw6DsK4FOG1uvsBhgUUwloU01xj1Xg";
        let typed: String = MADE_OF.nfd().collect();
        assert_eq!(check(&pool, &typed, decomposed).await, REPLACED);
        assert_eq!(check(&pool, MADE_OF, decomposed).await, NO);
        assert_eq!(check(&pool, "nul\0inside it", nul).await, REPLACED);
        assert_eq!(check(&pool, "nul", nul).await, NO);
    });
}

#[test]
fn l4_bcrypt_never_takes_a_part_of_a_password_for_the_whole() {
    run(async {
        // passlib, of 72 times p and TAIL: it looked at 72 bytes.
        let stored = "$2b$05$eqBqEDDoKSEZnRF.6Gpa0uPycJZdzJDkJ.akWNvMgjw8aBuHxEUYq";
        let (refusing, prefix) = (pool_of(Size::mib(1)), "p".repeat(72));
        let accepting = refusing.clone().with_bcrypt_over_72(BcryptOver72::Accept);
        for tail in ["TAIL", "TAIK", "T"] {
            let long = format!("{prefix}{tail}");
            assert_eq!(check(&refusing, &long, stored).await, NO);
            assert_eq!(check(&accepting, &long, stored).await, REPLACED);
        }
        assert_eq!(check(&refusing, &prefix, stored).await, REPLACED);
        assert_eq!(check(&accepting, &"p".repeat(71), stored).await, NO);
        // The key goes round and round: without a rule of its own, both would be the key of `MADE_OF`.
        for stored in &MADE_BY_OTHERS[3..7] {
            assert_eq!(check(&accepting, &format!("{MADE_OF}\0"), stored).await, NO);
            assert_eq!(
                check(&accepting, &format!("{MADE_OF}\0{MADE_OF}"), stored).await,
                NO
            );
        }
    });
}

#[test]
fn b6_a_hash_of_no_form_or_of_any_price_is_a_clean_no() {
    run(async {
        let (pool, hash) = (pool_of(Size::mib(4)), "A".repeat(43));
        let bcrypt = &MADE_BY_OTHERS[3][6..];
        let beyond = [
            format!("$argon2id$v=19$m=4194304,t=1,p=1$c29tZXNhbHQ${hash}"),
            format!("$argon2id$v=19$m=4097,t=1,p=1$c29tZXNhbHQ${hash}"),
            format!("$argon2id$v=19$m=64,t=1000000,p=1$c29tZXNhbHQ${hash}"),
            format!("$argon2id$v=19$m=1024,t=1,p=17$c29tZXNhbHQ${hash}"),
            format!("$argon2d$v=19$m=64,t=1,p=1$c29tZXNhbHQ${hash}"),
            format!("argon2$$argon2id$v=19$m=64,t=1,p=1$c29tZXNhbHQ${hash}"),
            format!("$2b$31{bcrypt}"),
            format!("$2b$16{bcrypt}"),
            format!("$2b$03{bcrypt}"),
            format!("$2b$5{bcrypt}"),
            format!("$2x$05{bcrypt}"),
            format!("$2b$05{}", &bcrypt[..30]),
            format!("$2b$05{bcrypt}A"),
            format!("$2b$05{}é", &bcrypt[..bcrypt.len() - 2]),
            format!("bcrypt$2b$05{bcrypt}"),
            format!("$bcrypt-sha256$v=3,t=2b,r=5{bcrypt}"),
            format!("$pbkdf2-sha256$1000000000$c29tZXNhbHQ${hash}"),
            format!("$pbkdf2-sha256$5000001$c29tZXNhbHQ${hash}"),
            format!("$pbkdf2-sha256$0$c29tZXNhbHQ${hash}"),
            format!("$pbkdf2-sha256$+1$c29tZXNhbHQ${hash}"),
            format!("$pbkdf2-sha256$1000$c29tZXNhbHQ${}", &hash[1..]),
            format!("pbkdf2_sha256$1000$salt$more${hash}="),
            format!("pbkdf2_sha256$1000$${hash}="),
            format!("$scrypt$ln=18,r=8,p=1$c29tZXNhbHQ${hash}"),
            format!("$scrypt$ln=12,r=8,p=1$c29tZXNhbHQ${hash}"),
            format!("$scrypt$ln=63,r=1,p=1$c29tZXNhbHQ${hash}"),
            format!("$scrypt$ln=1,r=9,p=1$c29tZXNhbHQ${hash}"),
            format!("$scrypt$ln=1,r=8,p=11$c29tZXNhbHQ${hash}"),
            format!("scrypt$1000$salt$8$1${hash}="),
            format!("scrypt$18446744073709551616$salt$8$1${hash}="),
            "sha1$salt$c0ffee".to_owned(),
            "plain text".to_owned(),
            "$".repeat(100),
            String::new(),
            "é".repeat(30),
            "A".repeat(100_000),
        ];
        for stored in &beyond {
            for form in [Stored::imported(stored), Stored::own(stored)] {
                assert_eq!(
                    pool.verify(&secret(MADE_OF), Some(form)).await,
                    Ok(UNUSABLE),
                    "{stored:.80}"
                );
            }
            assert_eq!(pool.cost(Stored::imported(stored)), None);
        }
        assert!(pool.load().memory_bytes <= 4 << 20);
    });
}

#[test]
fn b6_no_cut_of_a_hash_is_taken_for_the_whole_and_none_panics() {
    for stored in MADE_BY_OTHERS {
        for end in 0..stored.len() {
            let cut = &stored[..end];
            let known = Scheme::parse(cut).is_some_and(|(_, hash)| hash.len() < 16);
            assert!(!known, "{cut}");
            // One letter of another kind anywhere.
            for letter in ['$', '\0', 'é', '9', '='] {
                let (head, tail) = (&stored[..end], &stored[end + 1..]);
                Scheme::parse(&format!("{head}{letter}{tail}"));
            }
        }
    }
}

#[test]
fn what_has_one_cost_has_one_name_without_the_salt() {
    let pool = pool_of(Size::mib(4));
    let costs: Vec<_> = MADE_BY_OTHERS
        .iter()
        .map(|stored| pool.cost(Stored::imported(stored)).unwrap())
        .collect();
    assert_eq!(costs[0], costs[2]);
    assert_eq!(costs[0], "$argon2id$v=19$m=1024,t=2,p=2");
    assert_eq!(costs[1], "$argon2i$v=19$m=1024,t=3,p=1");
    assert!(costs[3..11].iter().all(|cost| cost == "bcrypt 5"));
    assert_eq!(
        costs[11..],
        [
            "pbkdf2-sha256 1000",
            "pbkdf2-sha256 1000",
            "scrypt ln=10 r=8 p=1",
            "scrypt ln=10 r=8 p=5"
        ]
    );
}
