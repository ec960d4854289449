#![no_main]
//! No name twice, no empty value.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|body: &[u8]| {
    if let Some(form) = cgcg_auth::fuzzing::form(body) {
        assert!(form.values().all(|value| !value.is_empty()));
        // What was read is a form that reads alike.
        let again: Vec<String> = form.iter().map(|(name, value)| format!("{}={}", escape(name), escape(value))).collect();
        assert_eq!(cgcg_auth::fuzzing::form(again.join("&").as_bytes()), Some(form));
    }
});

fn escape(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}
