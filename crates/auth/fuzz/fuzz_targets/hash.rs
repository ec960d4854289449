#![no_main]
//! Whatever stands in the database: it reads, or it does not.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    cgcg_auth::fuzzing::hash_reads(text);
    for form in ["$argon2id$v=19$", "$2b$", "$pbkdf2-sha256$", "$scrypt$ln=", "pbkdf2_sha256$"] {
        cgcg_auth::fuzzing::hash_reads(&format!("{form}{text}"));
    }
});
