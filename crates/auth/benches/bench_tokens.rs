//! Microseconds to sign and to check an access token.
//!
//! `cargo bench -p cgcg-auth --bench bench_tokens`. One JSON line per figure.

use cgcg_auth::keyring::{KeyRing, Keys, SigningKey};
use cgcg_auth::token::{Issuer, NewToken, Verifier, mint};
use cgcg_core::{Clock, Id, Span, SystemClock, Timestamp};
use jsonwebtoken::crypto::aws_lc;
use serde_json::json;

const TIMES: u32 = 5_000;

fn main() {
    aws_lc::DEFAULT_PROVIDER
        .install_default()
        .expect("the first to install");
    let now = Timestamp::from_micros(1_893_456_000_000_000);
    let key = SigningKey::generate().expect("chance");
    let pkcs8 = key.pkcs8().to_vec();
    let ring = KeyRing::new(Keys::new(key, []));
    ring.self_test().expect("a key that works");
    let issuer = Issuer {
        iss: "https://api.example.org".to_owned(),
        aud: "https://api.example.org".to_owned(),
        ttl: Span::minutes(10),
    };
    let new = NewToken {
        user: Id::new(now),
        session: Id::new(now),
        logged_in_at: now,
        methods: vec!["pwd".to_owned()],
        epoch: 1,
        roles: vec!["user".to_owned()],
        scope: None,
    };
    let claims = issuer.claims(now, new);
    let verifier = Verifier::new(ring.clone(), issuer);
    let token = mint(&ring, &claims).expect("a token");
    print("token_bytes", token.len() as f64);
    print("mint_us", each(|| drop(mint(&ring, &claims))));
    print(
        "parse_key_us",
        each(|| drop(SigningKey::from_pkcs8(&pkcs8))),
    );
    print(
        "verify_us",
        each(|| assert!(verifier.verify(&token, now).is_ok())),
    );
    let forged = format!(
        "{}A{}",
        &token[..token.len() - 20],
        &token[token.len() - 19..]
    );
    print(
        "refuse_signature_us",
        each(|| drop(verifier.verify(&forged, now))),
    );
    print(
        "refuse_malformed_us",
        each(|| drop(verifier.verify(&token[1..], now))),
    );
}

fn each(mut work: impl FnMut()) -> f64 {
    let clock = SystemClock::default();
    let start = clock.monotonic();
    (0..TIMES).for_each(|_| work());
    (clock.monotonic() - start).as_secs_f64() * 1e6 / f64::from(TIMES)
}

fn print(figure: &str, value: f64) {
    println!(
        "{}",
        json!({"bench": "tokens", "figure": figure, "value": value})
    );
}
