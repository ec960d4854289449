#![no_main]
//! Nothing passes but what we signed.

use std::sync::LazyLock;

use cgcg_auth::fuzzing::Tokens;
use libfuzzer_sys::fuzz_target;

static TOKENS: LazyLock<Tokens> = LazyLock::new(|| {
    jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default().ok();
    Tokens::new().expect("keys")
});

fuzz_target!(|data: &[u8]| {
    assert!(TOKENS.passes(TOKENS.good()));
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(!TOKENS.passes(text));
        // The good token with a piece replaced, where the first two bytes say.
        let (at, piece) = text.split_at_checked(2).unwrap_or(("", text));
        let at = at.bytes().fold(0, |at, byte| at * 128 + usize::from(byte)) % TOKENS.good().len();
        let end = (at + piece.len()).min(TOKENS.good().len());
        let spoilt = format!("{}{piece}{}", &TOKENS.good()[..at], &TOKENS.good()[end..]);
        assert!(spoilt == TOKENS.good() || !TOKENS.passes(&spoilt));
    }
    let [header, claims] = TOKENS.passes_signed(data).expect("a signature");
    // Each names key, issuer and ids of this run: too much to hit without them.
    assert!(!header && !claims);
});
