use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Secret, Size, Span};
use cgcg_testkit::{TestClock, run};
use unicode_normalization::UnicodeNormalization;

use super::{
    Argon2Settings, Blocklist, Lane, Normal, Overloaded, Owner, Policy, Pool, PoolSettings, Stored,
    Verdict,
};

mod foreign;
mod phc;
mod policy;
mod queue;

/// Far below what `validate` lets through, so that the tests are quick.
const CHEAP: Argon2Settings = Argon2Settings {
    memory_kib: 64,
    passes: 1,
    lanes: 1,
};

const YES: Verdict = Verdict {
    matches: true,
    rehash: false,
    unusable: false,
};
const NO: Verdict = Verdict {
    matches: false,
    rehash: false,
    unusable: false,
};

fn pool(threads: usize) -> (Pool, TestClock) {
    let clock = TestClock::default();
    let settings = PoolSettings {
        memory: Size::mib(1),
        threads,
        wait: Span::seconds(2),
    };
    (
        Pool::keeping(
            Duration::from_millis(50),
            CHEAP,
            settings,
            Arc::new(clock.clone()),
        ),
        clock,
    )
}

fn secret(text: &str) -> Secret<String> {
    text.to_owned().into()
}

async fn hash(pool: &Pool, text: &str) -> String {
    pool.hash(Lane::Login, &Policy::admit(&secret(text)).unwrap())
        .await
        .unwrap()
}

async fn verify(pool: &Pool, text: &str, stored: &str) -> Verdict {
    let stored = Some(Stored::own(stored));
    pool.verify(&secret(text), stored).await.unwrap()
}

fn policy() -> Policy {
    Policy::new(12, Blocklist::default(), Owner::default())
}

#[test]
fn l4_whatever_can_be_typed_comes_back() {
    run(async {
        let (pool, _) = pool(2);
        let passwords = [
            "correct horse battery",
            "nul\0in the middle",
            "\0\0\0\0\0\0\0\0\0\0\0\0",
            "trailing blanks   ",
            "   leading blanks",
            "emoji 👩‍👩‍👧‍👦 family",
            "\u{301}\u{301}lone marks\u{301}",
            "tab\tand\nline\r\n",
            "пароль пароль",
            "\u{202e}txet desrever",
            "\u{10ffff}\u{feff}edges of Unicode",
            "$argon2id$v=19$m=1",
            "%00%0a &lt; ' or 1=1",
        ];
        for password in passwords {
            let stored = hash(&pool, password).await;
            assert_eq!(verify(&pool, password, &stored).await, YES, "{password:?}");
            let first: String = password.chars().take(1).collect();
            for other in [
                &format!("{password}\0"),
                &format!("{password} "),
                &first,
                "",
                password.trim_matches([' ', '\0']),
            ] {
                let expected = if other == password { YES } else { NO };
                assert_eq!(
                    verify(&pool, other, &stored).await,
                    expected,
                    "{other:?} for {password:?}"
                );
            }
        }
    });
}

#[test]
fn l4_a_common_prefix_of_72_bytes_is_not_enough() {
    run(async {
        let (pool, _) = pool(2);
        let prefix = "p".repeat(72);
        let stored = hash(&pool, &prefix).await;
        assert_eq!(verify(&pool, &format!("{prefix}TAIL"), &stored).await, NO);
        let stored = hash(&pool, &format!("{prefix}TAIL")).await;
        assert_eq!(verify(&pool, &prefix, &stored).await, NO);
        assert_eq!(verify(&pool, &format!("{prefix}TAIK"), &stored).await, NO);
        assert_eq!(verify(&pool, &format!("{prefix}TAIL"), &stored).await, YES);
        // Far too long to be anybody's; still a clean no.
        assert_eq!(verify(&pool, &"p".repeat(1 << 20), &stored).await, NO);
    });
}

#[test]
fn l5_composed_and_decomposed_spellings_are_one_password() {
    run(async {
        let (pool, _) = pool(2);
        for composed in [
            "Zürich Café ñ",
            "한국어 비밀번호 열두자리",
            "\u{1e69} two marks on s",
        ] {
            let decomposed: String = composed.nfd().collect();
            assert_ne!(composed, decomposed);
            let stored = hash(&pool, composed).await;
            assert_eq!(verify(&pool, &decomposed, &stored).await, YES);
            let stored = hash(&pool, &decomposed).await;
            assert_eq!(verify(&pool, composed, &stored).await, YES);
        }
        // NFC is not NFKC: these only look alike.
        let stored = hash(&pool, "ﬁrst password").await;
        assert_eq!(verify(&pool, "first password", &stored).await, NO);
    });
}

#[test]
fn nobody_logs_in_where_there_is_no_password() {
    run(async {
        let (pool, _) = pool(1);
        for password in ["", "correct horse battery", "\0"] {
            assert_eq!(pool.verify(&secret(password), None).await, Ok(NO));
        }
    });
}

#[test]
fn two_hashes_of_one_password_differ() {
    run(async {
        let (pool, _) = pool(1);
        assert_ne!(
            hash(&pool, "correct horse battery").await,
            hash(&pool, "correct horse battery").await
        );
    });
}

#[test]
fn the_policy_counts_code_points_after_normalisation() {
    let code = |password: &str| {
        policy()
            .check(&secret(password), &Owner::default())
            .err()
            .map(|invalid| invalid.code)
    };
    let short = Some("password_too_short");
    let long = Some("password_too_long");
    // As many different characters as the rule about those asks for.
    let times = |text: &str, count: usize| text.chars().cycle().take(count).collect::<String>();
    assert_eq!(code(""), short);
    assert_eq!(code(&times("xyzw", 11)), short);
    assert_eq!(code(&times("xyzw", 12)), None);
    assert_eq!(code(&times("xyzw", 128)), None);
    assert_eq!(code(&times("xyzw", 129)), long);
    // 12 letters as typed, 6 after NFC.
    assert_eq!(code(&times("e\u{301}o\u{301}a\u{301}", 12)), short);
    assert_eq!(code(&times("e\u{301}o\u{301}a\u{301}i\u{301}", 256)), None);
    assert_eq!(code(&times("👍👎👌👋", 128)), None);
    assert_eq!(code(&times("👍👎👌👋", 129)), long);
    assert_eq!(code(&times("\0\u{1}\u{2}\u{3}", 12)), None);
    // The longest spelling of the longest password: nine bytes of jamo for three of a syllable.
    let syllables = "\u{1112}\u{1161}\u{11ab}\u{1100}\u{1161}\u{11ab}\u{1102}\u{1161}\u{11ab}\u{1103}\u{1161}\u{11ab}";
    assert_eq!(code(&times(syllables, 384)), None);
    for size in [513, 1 << 10, 1 << 20] {
        assert_eq!(code(&"x".repeat(size)), long, "{size}");
    }
}

#[test]
fn too_short_is_no_reason_to_refuse_an_attempt() {
    assert!(Policy::admit(&secret("old")).is_ok());
    assert_eq!(
        Policy::admit(&secret(&"x".repeat(129))).unwrap_err().code,
        "password_too_long"
    );
}

#[test]
fn an_invalid_password_is_not_repeated() {
    let invalid = policy()
        .check(&secret("hunter2"), &Owner::default())
        .unwrap_err();
    assert!(!invalid.detail.contains("hunter2"));
    assert!(!format!("{:?}", Policy::admit(&secret("hunter2"))).contains("hunter2"));
}

#[test]
fn settings_below_the_floors_are_refused() {
    let wrong = |memory_kib, passes, lanes| {
        let settings = Argon2Settings {
            memory_kib,
            passes,
            lanes,
        };
        settings
            .validate()
            .into_iter()
            .map(|(key, _)| key)
            .collect::<Vec<_>>()
    };
    for (memory_kib, passes) in [
        (47_104, 1),
        (19_456, 2),
        (12_288, 3),
        (12_288, 10),
        (262_144, 2),
    ] {
        assert!(
            wrong(memory_kib, passes, 1).is_empty(),
            "{memory_kib} {passes}"
        );
    }
    for (memory_kib, passes) in [
        (47_103, 1),
        (19_455, 2),
        (12_287, 3),
        (12_287, 10),
        (0, 2),
        (262_145, 2),
        (u32::MAX, 2),
    ] {
        assert_eq!(
            wrong(memory_kib, passes, 1),
            ["memory_kib"],
            "{memory_kib} {passes}"
        );
    }
    assert_eq!(wrong(47_104, 0, 1), ["passes"]);
    assert_eq!(wrong(19_456, 11, 1), ["passes"]);
    assert_eq!(wrong(19_456, 2, 0), ["lanes"]);
    assert_eq!(wrong(19_456, 2, 17), ["lanes"]);
    assert_eq!(Policy::validate(7).len() + Policy::validate(65).len(), 2);
    assert!(Policy::validate(12).is_empty() && Argon2Settings::default().validate().is_empty());

    let argon2 = Argon2Settings::default();
    assert!(PoolSettings::default().validate(&argon2).is_empty());
    let small = PoolSettings {
        memory: Size::mib(18),
        threads: 257,
        wait: Span::millis(99),
    };
    assert_eq!(small.validate(&argon2).len(), 3);
}
