use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::Timestamp;
use jsonwebtoken::crypto::aws_lc;
use serde_json::{Value, json};

use super::{KeyRing, Keys, PublicKey, Published, RingError, SigningKey};

/// A ring with one fresh key, in a program that chose its crypto.
pub(crate) fn ring() -> KeyRing {
    // Whoever is second finds it installed.
    aws_lc::DEFAULT_PROVIDER.install_default().ok();
    KeyRing::new(Keys::new(SigningKey::generate().unwrap(), []))
}

const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// RFC 8037, appendix A.1, as PKCS#8 version 1 (RFC 8410).
fn rfc_8037_key() -> SigningKey {
    let seed = URL_SAFE_NO_PAD
        .decode("nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")
        .unwrap();
    let prefix = b"\x30\x2e\x02\x01\x00\x30\x05\x06\x03\x2b\x65\x70\x04\x22\x04\x20";
    SigningKey::from_pkcs8(&[&prefix[..], &seed].concat()).unwrap()
}

#[test]
fn the_key_of_rfc_8037_has_its_thumbprint_and_signature() {
    ring();
    let key = rfc_8037_key();
    assert_eq!(key.kid(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
    let message = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature = key.sign(message).unwrap();
    assert_eq!(
        signature,
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"
    );
    assert!(key.public().verify(message, &signature));
}

#[test]
fn a_jwk_has_the_members_that_verifiers_look_for_and_no_private_part() {
    let jwk = rfc_8037_key().public().jwk();
    let expected = json!({
        "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo",
        "kid": "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
    });
    assert_eq!(jwk, expected);
    assert_eq!(PublicKey::from_jwk(&jwk).unwrap().kid(), jwk["kid"]);
}

#[test]
fn only_ed25519_keys_are_taken() {
    let good = SigningKey::generate().unwrap();
    let refuse = |change: &dyn Fn(&mut Value)| {
        let mut jwk = good.public().jwk();
        change(&mut jwk);
        assert_eq!(
            PublicKey::from_jwk(&jwk).err(),
            Some(RingError::Key),
            "{jwk}"
        );
    };
    refuse(&|jwk| jwk["kty"] = "EC".into());
    refuse(&|jwk| jwk["crv"] = "X25519".into());
    refuse(&|jwk| jwk["crv"] = "Ed448".into());
    refuse(&|jwk| jwk["kid"] = "me".into());
    refuse(&|jwk| jwk["x"] = "AAAA".into());
    refuse(&|jwk| jwk["x"] = Value::Null);
    assert_eq!(PublicKey::from_bytes(&[4; 65]).err(), Some(RingError::Key));
    assert_eq!(SigningKey::from_pkcs8(b"").err(), Some(RingError::Key));
    let cut = &good.pkcs8()[..good.pkcs8().len() - 1];
    assert_eq!(SigningKey::from_pkcs8(cut).err(), Some(RingError::Key));
}

#[test]
fn a_stored_key_is_the_same_key() {
    let key = SigningKey::generate().unwrap();
    let again = SigningKey::from_pkcs8(key.pkcs8()).unwrap();
    assert_eq!(again.kid(), key.kid());
    assert_eq!(again.public().jwk(), key.public().jwk());
}

#[test]
fn a_key_that_works_passes_the_self_test() {
    assert_eq!(ring().self_test(), Ok(()));
}

#[test]
fn a_swap_is_seen_by_all_clones_and_keeps_the_retired_key_for_its_window() {
    let ring = ring();
    let clone = ring.clone();
    let old = ring.keys().active().public().clone();
    let until = NOW + std::time::Duration::from_secs(605);
    let retired = Published {
        key: old.clone(),
        until: Some(until),
    };
    ring.replace(Keys::new(SigningKey::generate().unwrap(), [retired]));
    let keys = clone.keys();
    assert_ne!(keys.active().kid(), old.kid());
    let names = |now: Timestamp| keys.jwks(now)["keys"].as_array().map(Vec::len);
    assert_eq!((names(NOW), names(until)), (Some(2), Some(1)));
    assert!(keys.find(old.kid(), NOW).is_some() && keys.find(old.kid(), until).is_none());
}

#[test]
fn debug_shows_no_private_part() {
    let key = SigningKey::generate().unwrap();
    assert_eq!(format!("{key:?}"), format!("SigningKey({})", key.kid()));
}
