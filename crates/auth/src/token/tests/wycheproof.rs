use serde::Deserialize;

use super::*;
use crate::keyring::PublicKey;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct File {
    number_of_tests: usize,
    test_groups: Vec<Group>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Group {
    public_key: Key,
    public_key_jwk: Value,
    tests: Vec<Case>,
}

#[derive(Deserialize)]
struct Key {
    pk: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Case {
    tc_id: u32,
    msg: String,
    sig: String,
    result: String,
}

/// All cases with the key of their group.
fn cases() -> impl Iterator<Item = (PublicKey, Value, Case)> {
    ring();
    let file: File = serde_json::from_str(include_str!("wycheproof/ed25519_test.json")).unwrap();
    let count: usize = file.test_groups.iter().map(|group| group.tests.len()).sum();
    assert_eq!(count, file.number_of_tests);
    file.test_groups.into_iter().flat_map(|group| {
        let key = PublicKey::from_bytes(&bytes(&group.public_key.pk)).unwrap();
        let jwk = group.public_key_jwk;
        let tests = group.tests.into_iter();
        tests.map(move |case| (key.clone(), jwk.clone(), case))
    })
}

fn bytes(hex: &str) -> Vec<u8> {
    let pairs = hex.as_bytes().chunks(2);
    pairs
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}

#[test]
fn j1_the_signature_step_agrees_with_wycheproof_in_every_case() {
    let mut seen = 0;
    for (key, _, case) in cases() {
        let verdict = key.verify(&bytes(&case.msg), &URL_SAFE_NO_PAD.encode(bytes(&case.sig)));
        assert_eq!(verdict, case.result == "valid", "tcId {}", case.tc_id);
        seen += 1;
    }
    assert_eq!(seen, 151);
}

#[test]
fn j1_the_keys_of_wycheproof_read_alike_as_bytes_and_as_jwk() {
    for (key, mut jwk, case) in cases() {
        assert_eq!(jwk["x"], key.jwk()["x"], "tcId {}", case.tc_id);
        // A name that is not the thumbprint is no name of ours.
        assert!(PublicKey::from_jwk(&jwk).is_err());
        jwk["kid"] = key.kid().into();
        assert_eq!(PublicKey::from_jwk(&jwk).unwrap().kid(), key.kid());
    }
}

/// A right signature makes a token of nothing that is not one of ours, even where the key is in the ring.
#[test]
fn j1_no_message_of_wycheproof_passes_as_a_token() {
    let bench = Bench::new();
    for (key, _, case) in cases() {
        let keys = Keys::new(
            SigningKey::generate().unwrap(),
            [Published {
                key: key.clone(),
                until: None,
            }],
        );
        bench.ring.replace(keys);
        let header = json!({"alg": "EdDSA", "kid": key.kid(), "typ": "at+jwt"}).to_string();
        let (msg, sig) = (bytes(&case.msg), bytes(&case.sig));
        let parts = [header.as_bytes(), &msg, &sig].map(|part| URL_SAFE_NO_PAD.encode(part));
        let refused = bench.verify(&parts.join("."));
        let expected = [Rejected::Malformed, Rejected::Signature];
        assert!(
            refused.is_err_and(|why| expected.contains(&why)),
            "tcId {}",
            case.tc_id
        );
    }
}
