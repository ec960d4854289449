#![no_main]
//! What is taken is canonical once, short, and on one line.

use cgcg_core::Email;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    for text in [text.to_owned(), format!("ada@{text}"), format!("{text}@example.org")] {
        let Ok(email) = text.parse::<Email>() else {
            continue;
        };
        let shown = email.to_string();
        assert!(shown.len() <= 254 && !shown.contains(char::is_control), "{shown:?}");
        let canonical = email.canonical();
        assert!(canonical.is_ascii() && canonical.matches('@').count() == 1, "{canonical:?}");
        let again: Email = canonical.parse().expect("canonical is an address");
        assert_eq!(again.canonical(), canonical);
    }
});
