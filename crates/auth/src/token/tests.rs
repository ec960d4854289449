use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::{Id, Span, Timestamp};
use serde_json::{Value, json};

use super::{Claims, Issuer, NewToken, Rejected, Verifier, mint};
use crate::keyring::tests::ring;
use crate::keyring::{KeyRing, Keys, Published, SigningKey};

mod claims;
mod header;
mod shape;
mod wycheproof;

/// 2030-01-01T00:00:00Z.
const NOW: Timestamp = Timestamp::from_micros(1_893_456_000_000_000);

/// An issuer, its verifier, and good claims to spoil.
struct Bench {
    ring: KeyRing,
    verifier: Verifier,
    claims: Claims,
}

impl Bench {
    fn new() -> Self {
        let ring = ring();
        let issuer = Issuer {
            iss: "https://api.example.org".to_owned(),
            aud: "https://api.example.org".to_owned(),
            ttl: Span::minutes(10),
        };
        let new = NewToken {
            user: Id::new(NOW),
            session: Id::new(NOW),
            logged_in_at: NOW - Duration::from_secs(60),
            methods: vec!["pwd".to_owned()],
            epoch: 3,
            roles: vec!["user".to_owned()],
            scope: None,
        };
        let claims = issuer.claims(NOW, new);
        Self {
            verifier: Verifier::new(ring.clone(), issuer),
            ring,
            claims,
        }
    }

    fn kid(&self) -> String {
        self.ring.keys().active().kid().to_owned()
    }

    /// The header that we write.
    fn header(&self) -> Value {
        json!({"alg": "EdDSA", "kid": self.kid(), "typ": "at+jwt"})
    }

    /// Any header and claims, with a signature that is right.
    fn sign(&self, header: &str, claims: &str) -> String {
        let signed = format!(
            "{}.{}",
            URL_SAFE_NO_PAD.encode(header),
            URL_SAFE_NO_PAD.encode(claims)
        );
        let signature = self.ring.keys().active().sign(signed.as_bytes()).unwrap();
        format!("{signed}.{signature}")
    }

    /// Good claims under any header.
    fn with_header(&self, header: &str) -> Result<Claims, Rejected> {
        self.verify(&self.sign(header, &serde_json::to_string(&self.claims).unwrap()))
    }

    /// Any claims under a good header.
    fn with_claims(&self, claims: &str) -> Result<Claims, Rejected> {
        self.verify(&self.sign(&self.header().to_string(), claims))
    }

    /// Good claims, but one.
    fn with_claim(&self, name: &str, value: Value) -> Result<Claims, Rejected> {
        let mut claims = serde_json::to_value(&self.claims).unwrap();
        claims[name] = value;
        self.with_claims(&claims.to_string())
    }

    fn mint(&self) -> String {
        mint(&self.ring, &self.claims).unwrap()
    }

    fn verify(&self, token: &str) -> Result<Claims, Rejected> {
        self.verifier.verify(token, NOW)
    }
}

#[test]
fn a_minted_token_says_what_was_put_in() {
    let mut bench = Bench::new();
    let token = bench.mint();
    assert_eq!(bench.verify(&token), Ok(bench.claims.clone()));
    assert!(token.len() < 700, "{} bytes", token.len());
    bench.claims.scope = Some("tasks:read".to_owned());
    assert_eq!(bench.verify(&bench.mint()), Ok(bench.claims.clone()));
}

#[test]
fn the_header_is_exactly_algorithm_key_and_type() {
    let bench = Bench::new();
    let token = bench.mint();
    let header = URL_SAFE_NO_PAD
        .decode(token.split('.').next().unwrap())
        .unwrap();
    let expected = format!(
        r#"{{"alg":"EdDSA","kid":"{}","typ":"at+jwt"}}"#,
        bench.kid()
    );
    assert_eq!(String::from_utf8(header).unwrap(), expected);
}

#[test]
fn j13_another_instances_token_with_the_same_kid_is_refused() {
    let (ours, theirs) = (Bench::new(), Bench::new());
    assert_eq!(ours.verify(&theirs.mint()), Err(Rejected::UnknownKey));
    let claims = serde_json::to_string(&ours.claims).unwrap();
    assert_eq!(
        ours.verify(&theirs.sign(&ours.header().to_string(), &claims)),
        Err(Rejected::Signature)
    );
}

#[test]
fn j13_a_shared_key_does_not_make_another_issuers_token_ours() {
    let bench = Bench::new();
    assert_eq!(
        bench.with_claim("iss", "https://other.example.org".into()),
        Err(Rejected::Issuer)
    );
    assert_eq!(
        bench.with_claim("aud", "https://other.example.org".into()),
        Err(Rejected::Audience)
    );
    // Equality, not "begins with", and no trailing slash.
    assert_eq!(
        bench.with_claim("iss", "https://api.example.org/".into()),
        Err(Rejected::Issuer)
    );
}

#[test]
fn j14_a_retired_key_is_good_inside_its_window_only() {
    let bench = Bench::new();
    let token = bench.mint();
    let key = bench.ring.keys().active().public().clone();
    let until = NOW + Duration::from_secs(300);
    bench.ring.replace(Keys::new(
        SigningKey::generate().unwrap(),
        [Published {
            key,
            until: Some(until),
        }],
    ));
    assert!(bench.verify(&token).is_ok());
    assert!(
        bench
            .verifier
            .verify(&token, until - Duration::from_micros(1))
            .is_ok()
    );
    assert_eq!(
        bench.verifier.verify(&token, until),
        Err(Rejected::UnknownKey)
    );
    bench
        .ring
        .replace(Keys::new(SigningKey::generate().unwrap(), []));
    assert_eq!(bench.verify(&token), Err(Rejected::UnknownKey));
}

#[test]
fn each_refusal_has_a_word_of_its_own() {
    use Rejected::{
        Audience, Claims, Expired, Header, Issuer, Life, Malformed, NotYet, Signature, UnknownKey,
    };
    let all = [
        Malformed, Header, UnknownKey, Signature, Claims, Issuer, Audience, NotYet, Expired, Life,
    ];
    let words: std::collections::BTreeSet<_> = all.iter().map(|one| one.reason()).collect();
    assert_eq!(words.len(), all.len());
}
