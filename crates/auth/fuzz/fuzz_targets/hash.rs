#![no_main]
//! Whatever stands in the database: it reads, or it does not.

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    cgcg_auth::fuzzing::hash_reads(text);
    for form in [
        "$argon2id$v=19$",
        "$argon2i$v=19$",
        "argon2$argon2id$v=19$",
        "$2b$",
        "bcrypt$$2b$",
        "bcrypt_sha256$$2b$",
        "$bcrypt-sha256$v=2,t=2b,r=",
        "$bcrypt-sha256$2b,",
        "$pbkdf2-sha256$",
        "pbkdf2_sha256$",
        "$scrypt$ln=",
        "scrypt$",
    ] {
        cgcg_auth::fuzzing::hash_reads(&format!("{form}{text}"));
    }
});
