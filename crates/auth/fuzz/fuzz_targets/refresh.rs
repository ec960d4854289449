#![no_main]
//! Nothing passes that was not made with the key; what was made reads alike.

use std::sync::LazyLock;

use cgcg_auth::fuzzing;
use cgcg_core::FeatureKeys;
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<FeatureKeys> = LazyLock::new(|| fuzzing::keys().expect("keys"));

fuzz_target!(|data: &[u8]| {
    if let Ok(text) = std::str::from_utf8(data) {
        assert!(!fuzzing::refresh_passes(&KEYS, text));
        assert!(!fuzzing::refresh_passes(&KEYS, &format!("cgr1_{text}")));
    }
    if let Some((session, rest)) = data.split_first_chunk::<16>()
        && let Some((generation, _)) = rest.split_first_chunk::<8>()
    {
        let generation = i64::from_be_bytes(*generation) & i64::MAX;
        assert!(fuzzing::refresh_survives(&KEYS, *session, generation));
    }
});
