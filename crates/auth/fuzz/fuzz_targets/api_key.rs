#![no_main]
//! What reads well is what secret scanners look for, and a spoilt key does not.

use std::sync::LazyLock;

use cgcg_auth::fuzzing;
use libfuzzer_sys::fuzz_target;

static GOOD: LazyLock<String> = LazyLock::new(|| fuzzing::api_key().expect("a key"));

fuzz_target!(|text: &str| {
    assert!(fuzzing::api_key_reads(&GOOD));
    for text in [text.to_owned(), format!("cgk1_{text}")] {
        if fuzzing::api_key_reads(&text) {
            let letters = text.strip_prefix("cgk1_").expect("the prefix");
            assert!(letters.len() == 33 && letters.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{text:?}");
        }
    }
    // CRC-32 sees every change of up to four bytes in a row; a longer one passes once in 2^32.
    if text.is_ascii() && (1..=4).contains(&text.len()) {
        for at in 5..=GOOD.len() - 6 - text.len() {
            let spoilt = format!("{}{text}{}", &GOOD[..at], &GOOD[at + text.len()..]);
            assert!(spoilt == *GOOD || !fuzzing::api_key_reads(&spoilt), "{spoilt}");
        }
    }
});
