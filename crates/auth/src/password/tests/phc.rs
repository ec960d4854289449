use super::*;
use crate::password::phc::Recipe;

/// Of the reference implementation (phc-winner-argon2, `src/test.c`): "password" with the salt "somesalt".
const REFERENCE: [&str; 3] = [
    "$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
    "$argon2id$v=19$m=256,t=2,p=2$c29tZXNhbHQ$bQk8UB/VmZZF4Oo79iDXuL5/0ttZwg2f/5U52iv1cDc",
    "$argon2id$v=19$m=65536,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc",
];

/// A pool that may pay for the dearest of [`REFERENCE`].
fn rich_pool() -> Pool {
    let settings = PoolSettings {
        memory: Size::mib(64),
        threads: 1,
        wait: Span::seconds(2),
    };
    Pool::new(CHEAP, settings, Arc::new(TestClock::default()))
}

#[test]
fn hashes_of_the_reference_implementation_match_and_are_made_anew() {
    run(async {
        let pool = rich_pool();
        for stored in REFERENCE {
            let expected = Verdict {
                matches: true,
                rehash: true,
                unusable: false,
            };
            assert_eq!(
                verify(&pool, "password", stored).await,
                expected,
                "{stored}"
            );
            assert_eq!(verify(&pool, "passwore", stored).await, NO, "{stored}");
        }
    });
}

#[test]
fn a_hash_with_other_parameters_is_made_anew_and_then_left_alone() {
    run(async {
        let clock: Arc<TestClock> = Arc::default();
        let settings = PoolSettings {
            memory: Size::mib(1),
            threads: 1,
            wait: Span::seconds(2),
        };
        let old = Pool::new(
            Argon2Settings { passes: 2, ..CHEAP },
            settings,
            clock.clone(),
        );
        let new = Pool::new(CHEAP, settings, clock);
        let stored = hash(&old, "correct horse battery").await;
        assert!(verify(&new, "correct horse battery", &stored).await.rehash);
        assert!(!verify(&new, "wrong horse battery", &stored).await.rehash);
        let stored = hash(&new, "correct horse battery").await;
        assert_eq!(verify(&new, "correct horse battery", &stored).await, YES);
    });
}

#[test]
fn what_is_stored_is_the_phc_form() {
    run(async {
        let (pool, _) = pool(1);
        let stored = hash(&pool, "correct horse battery").await;
        assert!(
            stored.starts_with("$argon2id$v=19$m=64,t=1,p=1$"),
            "{stored}"
        );
        let (recipe, bytes) = Recipe::parse(&stored).unwrap();
        assert_eq!(recipe.to_phc(&bytes), stored);
        assert!(recipe.is_current(&CHEAP) && bytes.len() == 32);
    });
}

/// Everything here must cost one dummy and match nothing, not even the password that an obliging parser would accept.
#[test]
fn b6_hostile_hashes_are_a_clean_no() {
    let salt = "c29tZXNhbHQ";
    let good = "nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4";
    let costs = [
        "m=4194304,t=2,p=1",
        "m=4294967295,t=1,p=1",
        "m=4294967296,t=1,p=1",
        "m=262145,t=2,p=1",
        "m=256,t=1000000,p=1",
        "m=256,t=11,p=1",
        "m=256,t=2,p=17",
        "m=256,t=2,p=16777216",
        "m=7,t=2,p=1",
        "m=64,t=2,p=16",
        "m=0,t=2,p=1",
        "m=256,t=0,p=1",
        "m=256,t=2,p=0",
        "m=-256,t=2,p=1",
        "m=+256,t=2,p=1",
        "m=0256,t=2,p=1",
        "m= 256,t=2,p=1",
        "m=256,t=2",
        "m=256",
        "",
        ",",
        "t=2,m=256,p=1",
        "m=256,t=2,p=1,x=1",
        "m=256,t=2,p=1,keyid=AAAA",
        "m=256,m=256,t=2,p=1",
        "m=256;t=2;p=1",
        "m=1e2,t=2,p=1",
        "m=99999999999999999999999999,t=2,p=1",
        "m=２５６,t=2,p=1",
    ];
    let mut hostile: Vec<String> = costs
        .iter()
        .map(|cost| format!("$argon2id$v=19${cost}${salt}${good}"))
        .collect();
    let long = "A".repeat(100_000);
    hostile.extend(
        [
            "",
            "$",
            "$$$$$",
            "!",
            "!unusable",
            "plain text",
            "\0",
            "ä",
            "$argon2id",
            "$argon2id$",
            "$argon2id$v=19$",
            long.as_str(),
            "$argon2d$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4",
            "$2b$31$ääääääääääääääääääääääääääääää",
            "$2x$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW",
            "$pbkdf2-sha256$1000000000$c2FsdA$AAAA",
            "$scrypt$ln=31,r=8,p=1$c2FsdA$AAAA",
        ]
        .map(str::to_owned),
    );
    hostile.extend(
        ["v=18", "v=20", "v=", "19", "v=019", "v=4294967315"]
            .map(|v| format!("$argon2id${v}$m=256,t=2,p=1${salt}${good}")),
    );
    let salts = [
        "",
        "c29tZQ",
        "c29tZXNhbHR",
        "c29tZXNhbHQ=",
        "c29t ZXNhbHQ",
        "c29tZXNh-HQ",
        "ääääääää",
        &long,
    ];
    hostile.extend(salts.map(|salt| format!("$argon2id$v=19$m=256,t=2,p=1${salt}${good}")));
    let hashes = [
        "",
        "AAAA",
        &good[..good.len() - 1],
        &format!("{good}="),
        &format!("{good}${good}"),
        &format!("{good}\n"),
        &long,
    ];
    hostile.extend(hashes.map(|hash| format!("$argon2id$v=19$m=256,t=2,p=1${salt}${hash}")));
    run(async {
        let (pool, _) = pool(2);
        for stored in &hostile {
            let expected = Verdict {
                unusable: true,
                ..NO
            };
            let start: String = stored.chars().take(80).collect();
            assert_eq!(verify(&pool, "password", stored).await, expected, "{start}");
        }
    });
}

#[test]
fn b6_a_hash_that_needs_more_memory_than_the_pool_has_is_never_run() {
    run(async {
        let (pool, _) = pool(1);
        let expected = Verdict {
            unusable: true,
            ..NO
        };
        assert_eq!(verify(&pool, "password", REFERENCE[2]).await, expected);
        assert!(pool.load().memory_bytes <= 64 * 1_024);
    });
}

#[test]
fn b6_no_cut_or_flipped_hash_matches_or_panics() {
    run(async {
        let (pool, _) = pool(2);
        let stored = hash(&pool, "correct horse battery").await;
        for end in (0..stored.len()).step_by(3) {
            assert!(
                !verify(&pool, "correct horse battery", &stored[..end])
                    .await
                    .matches,
                "{end}"
            );
        }
        // Not the digits of the cost: `t=9` is an honest, if different, hash.
        let from = stored.rfind("p=1$").unwrap() + 4;
        for byte in from..stored.len() {
            for bit in 0..7 {
                let mut bytes = stored.clone().into_bytes();
                bytes[byte] ^= 1 << bit;
                let flipped = String::from_utf8(bytes).unwrap();
                assert!(
                    !verify(&pool, "correct horse battery", &flipped)
                        .await
                        .matches,
                    "{flipped}"
                );
            }
        }
    });
}
