#![no_main]
//! Nothing passes that was not made with the key.

use std::sync::LazyLock;

use cgcg_auth::fuzzing;
use cgcg_core::FeatureKeys;
use libfuzzer_sys::fuzz_target;

static KEYS: LazyLock<FeatureKeys> = LazyLock::new(|| fuzzing::keys().expect("keys"));

fuzz_target!(|text: &str| {
    assert!(!fuzzing::one_time_passes(&KEYS, text));
    assert!(!fuzzing::one_time_passes(&KEYS, &format!("cgo1_{text}")));
});
