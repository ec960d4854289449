use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair};
use base64::engine::general_purpose::STANDARD;

use super::*;

/// Header with one member changed or added.
fn header(bench: &Bench, name: &str, value: impl Into<Value>) -> String {
    let mut header = bench.header();
    header[name] = value.into();
    header.to_string()
}

/// Header without a member.
fn header_without(bench: &Bench, name: &str) -> String {
    let mut header = bench.header();
    header.as_object_mut().unwrap().remove(name);
    header.to_string()
}

#[test]
fn j2_a_token_without_algorithm_is_refused() {
    let bench = Bench::new();
    let claims = serde_json::to_string(&bench.claims).unwrap();
    for name in ["none", "noNE", "NONE", "nOnE", "", " none"] {
        let header = header(&bench, "alg", name);
        assert_eq!(
            bench.with_header(&header),
            Err(Rejected::Header),
            "signed {name:?}"
        );
        let unsigned = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(&header),
            URL_SAFE_NO_PAD.encode(&claims)
        );
        assert_eq!(
            bench.verify(&format!("{unsigned}.")),
            Err(Rejected::Malformed),
            "unsigned {name:?}"
        );
        assert_eq!(
            bench.verify(&unsigned),
            Err(Rejected::Malformed),
            "two parts {name:?}"
        );
        assert_eq!(
            bench.verify(&format!("{unsigned}.AAAA")),
            Err(Rejected::Header),
            "any {name:?}"
        );
    }
    assert_eq!(
        bench.with_header(&header_without(&bench, "alg")),
        Err(Rejected::Header)
    );
    for value in [
        Value::Null,
        json!(["EdDSA"]),
        json!({}),
        json!(1),
        json!(true),
    ] {
        assert_eq!(
            bench.with_header(&header(&bench, "alg", value)),
            Err(Rejected::Header)
        );
    }
}

#[test]
fn j3_our_public_key_is_no_hmac_secret() {
    let bench = Bench::new();
    let jwk = bench.ring.keys().active().public().jwk();
    let x = jwk["x"].as_str().unwrap();
    let raw = URL_SAFE_NO_PAD.decode(x).unwrap();
    let spki = [
        b"\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00",
        raw.as_slice(),
    ]
    .concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&spki)
    );
    let secrets = [
        raw.clone(),
        x.into(),
        STANDARD.encode(&raw).into(),
        spki,
        pem.into(),
        jwk.to_string().into(),
    ];
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_string(&bench.claims).unwrap());
    for (secret, alg) in secrets
        .iter()
        .flat_map(|secret| ["HS256", "EdDSA"].map(|alg| (secret, alg)))
    {
        let signed = format!(
            "{}.{claims}",
            URL_SAFE_NO_PAD.encode(header(&bench, "alg", alg))
        );
        let mac = hmac::sign(
            &hmac::Key::new(hmac::HMAC_SHA256, secret),
            signed.as_bytes(),
        );
        let refused = bench.verify(&format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac)));
        assert!(
            matches!(refused, Err(Rejected::Header | Rejected::Signature)),
            "{alg}: {refused:?}"
        );
    }
}

#[test]
fn j4_another_curve_or_kind_of_key_is_refused() {
    let bench = Bench::new();
    let algorithms =
        "HS384 RS256 RS512 PS256 ES256 ES384 ES512 ES256K Ed25519 Ed448 EDDSA eddsa RSA-OAEP dir";
    for alg in algorithms.split(' ') {
        assert_eq!(
            bench.with_header(&header(&bench, "alg", alg)),
            Err(Rejected::Header),
            "{alg}"
        );
    }
    let chance = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &chance).unwrap();
    let pair =
        EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, document.as_ref()).unwrap();
    let claims = URL_SAFE_NO_PAD.encode(serde_json::to_string(&bench.claims).unwrap());
    for (alg, expected) in [("ES256", Rejected::Header), ("EdDSA", Rejected::Signature)] {
        let signed = format!(
            "{}.{claims}",
            URL_SAFE_NO_PAD.encode(header(&bench, "alg", alg))
        );
        let signature = URL_SAFE_NO_PAD.encode(pair.sign(&chance, signed.as_bytes()).unwrap());
        assert_eq!(
            bench.verify(&format!("{signed}.{signature}")),
            Err(expected)
        );
    }
}

#[test]
fn j5_a_kid_that_is_not_in_the_ring_is_refused() {
    let bench = Bench::new();
    let kid = bench.kid();
    let strange = [
        "",
        "unknown",
        "../../etc/passwd",
        "/dev/null",
        "' or 1=1 --",
        "x' union select 'key",
        "\u{0}",
        "*",
        "http://evil/",
        &kid[1..],
        &kid.to_lowercase(),
        &format!("{kid} "),
        &"k".repeat(5_000),
    ];
    for kid in strange {
        assert_eq!(
            bench.with_header(&header(&bench, "kid", kid)),
            Err(Rejected::UnknownKey),
            "{kid:?}"
        );
    }
    assert_eq!(
        bench.with_header(&header(&bench, "kid", "k".repeat(10_240))),
        Err(Rejected::Malformed)
    );
    for value in [Value::Null, json!([kid]), json!({"kid": kid}), json!(0)] {
        assert_eq!(
            bench.with_header(&header(&bench, "kid", value)),
            Err(Rejected::Header)
        );
    }
    assert_eq!(
        bench.with_header(&header_without(&bench, "kid")),
        Err(Rejected::Header)
    );
    let repeated = format!(r#"{{"alg":"EdDSA","kid":"{kid}","kid":"{kid}","typ":"at+jwt"}}"#);
    assert_eq!(bench.with_header(&repeated), Err(Rejected::Header));
}

#[test]
fn j6_j7_a_header_that_says_more_is_refused() {
    let bench = Bench::new();
    let jwk = SigningKey::generate().unwrap().public().jwk();
    let more = [
        ("jwk", jwk),
        ("jku", json!("https://evil.example.org/jwks.json")),
        ("x5u", json!("https://evil.example.org/x")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("cty", json!("JWT")),
        ("zip", json!("DEF")),
        ("enc", json!("A128GCM")),
        ("iss", json!("x")),
        ("", json!(null)),
    ];
    for (name, value) in more {
        assert_eq!(
            bench.with_header(&header(&bench, name, value)),
            Err(Rejected::Header),
            "{name}"
        );
    }
}

#[test]
fn j8_only_the_type_of_access_tokens_passes() {
    let bench = Bench::new();
    for good in [
        "at+jwt",
        "AT+JWT",
        "At+Jwt",
        "application/at+jwt",
        "APPLICATION/AT+JWT",
    ] {
        assert!(
            bench.with_header(&header(&bench, "typ", good)).is_ok(),
            "{good}"
        );
    }
    let bad = [
        "",
        "JWT",
        "jwt",
        "dpop+jwt",
        "refresh+jwt",
        "logout+jwt",
        "at+jwt ",
        " at+jwt",
        "at+jw",
        "at+jwt+x",
        "application/",
        "application/application/at+jwt",
        "application/jwt",
        "text/at+jwt",
        "at jwt",
        "ät+jwt",
    ];
    for bad in bad {
        assert_eq!(
            bench.with_header(&header(&bench, "typ", bad)),
            Err(Rejected::Header),
            "{bad}"
        );
    }
    assert_eq!(
        bench.with_header(&header_without(&bench, "typ")),
        Err(Rejected::Header)
    );
    assert_eq!(
        bench.with_header(&header(&bench, "typ", Value::Null)),
        Err(Rejected::Header)
    );
    assert_eq!(
        bench.with_header(&header(&bench, "typ", json!(["at+jwt"]))),
        Err(Rejected::Header)
    );
}

#[test]
fn a_header_that_is_no_object_is_refused() {
    let bench = Bench::new();
    let kid = bench.kid();
    let array = json!(["EdDSA", kid, "at+jwt"]).to_string();
    let good = bench.header().to_string();
    for header in [
        &array,
        "null",
        "{}",
        "[]",
        "1",
        "\"\"",
        "{",
        &good[1..],
        &format!("{good}x"),
        &format!("{good}{good}"),
    ] {
        assert_eq!(bench.with_header(header), Err(Rejected::Header), "{header}");
    }
    let not_utf8 = [good.trim_end_matches('}').as_bytes(), b",\"\xff\":1}"].concat();
    let token = format!("{}.e30.AAAA", URL_SAFE_NO_PAD.encode(not_utf8));
    assert_eq!(bench.verify(&token), Err(Rejected::Header));
}
