use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{
    Authenticator, Clock, Credential, Denied, Id, NoAuthenticator, Proof, StaticToken,
    StaticTokens, StaticTokensError, Subject, Timestamp,
};
use cgcg_testkit::TestClock;
use sha2::{Digest, Sha256};

const TOKEN: &str = "correct-horse-battery-staple";

fn hex(text: &str) -> String {
    Sha256::digest(text)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn token(name: &str, secret: &str, expires_at: Option<Timestamp>) -> StaticToken {
    let id = Id::new(TestClock::default().now());
    StaticToken {
        id,
        name: name.to_owned(),
        sha256: hex(secret),
        scopes: vec!["users:read".to_owned()],
        expires_at,
    }
}

fn tokens(list: &[StaticToken], clock: &TestClock) -> Result<StaticTokens, StaticTokensError> {
    StaticTokens::new(list, Arc::new(clock.clone()))
}

#[test]
fn a_known_token_has_its_own_scopes_and_no_others() {
    cgcg_testkit::run(async {
        let list = [
            token("other", "another-secret", None),
            token("ci", TOKEN, None),
        ];
        let tokens = tokens(&list, &TestClock::default()).unwrap();
        let principal = tokens
            .authenticate(Credential::Bearer(TOKEN))
            .await
            .unwrap();
        assert_eq!(
            (principal.subject, principal.proof),
            (Subject::Service(list[1].id), Proof::StaticToken)
        );
        assert!(principal.grants.allow("users:read") && !principal.grants.allow("users:write"));
        assert_eq!((principal.user(), principal.logged_in_at), (None, None));
        assert!(tokens.still_valid(&principal).await);
    });
}

#[test]
fn whatever_is_not_a_token_of_ours_gets_one_and_the_same_answer() {
    cgcg_testkit::run(async {
        let list = [token("ci", TOKEN, None)];
        let tokens = tokens(&list, &TestClock::default()).unwrap();
        let hash = hex(TOKEN);
        for shown in [
            "",
            "unknown",
            &TOKEN[1..],
            &TOKEN.to_uppercase(),
            &format!("{TOKEN} "),
            &hash,
        ] {
            assert_eq!(
                tokens.authenticate(Credential::Bearer(shown)).await,
                Err(Denied::Invalid),
                "{shown}"
            );
        }
        assert_eq!(
            tokens.authenticate(Credential::Cookie(TOKEN)).await,
            Err(Denied::Invalid)
        );
    });
}

#[test]
fn a_token_ends_at_its_time_and_so_do_its_streams() {
    cgcg_testkit::run(async {
        let clock = TestClock::default();
        let end = clock.now() + Duration::from_secs(60);
        let tokens = tokens(&[token("ci", TOKEN, Some(end))], &clock).unwrap();
        clock.set(Timestamp::from_micros(end.micros() - 1));
        let principal = tokens
            .authenticate(Credential::Bearer(TOKEN))
            .await
            .unwrap();
        assert_eq!(principal.valid_until, end);
        assert!(tokens.still_valid(&principal).await);
        clock.set(end);
        assert_eq!(
            tokens.authenticate(Credential::Bearer(TOKEN)).await,
            Err(Denied::Expired)
        );
        assert!(!tokens.still_valid(&principal).await);
    });
}

#[test]
fn a_principal_of_a_token_that_is_no_longer_listed_is_not_valid() {
    cgcg_testkit::run(async {
        let clock = TestClock::default();
        let before = tokens(&[token("ci", TOKEN, None)], &clock).unwrap();
        let after = tokens(&[token("ci", "its-successor", None)], &clock).unwrap();
        let principal = before
            .authenticate(Credential::Bearer(TOKEN))
            .await
            .unwrap();
        assert!(!after.still_valid(&principal).await);
    });
}

#[test]
fn s1_what_is_not_a_hash_is_refused_by_name_and_not_repeated() {
    let short = hex(TOKEN)[1..].to_owned();
    let long = format!("{}0", hex(TOKEN));
    let no_hex = hex(TOKEN).replace(|letter: char| letter.is_ascii_digit(), "+");
    for wrong in [
        String::new(),
        TOKEN.to_owned(),
        short,
        long,
        no_hex,
        "é".repeat(32),
    ] {
        let mut one = token("ci", TOKEN, None);
        one.sha256.clone_from(&wrong);
        let refused = tokens(&[one], &TestClock::default()).err().expect(&wrong);
        assert_eq!(refused, StaticTokensError::NotAHash("ci".to_owned()));
        assert!(wrong.is_empty() || !refused.to_string().contains(&wrong));
    }
}

#[test]
fn s1_a_hash_or_an_id_that_stands_there_twice_is_refused() {
    let (first, mut second) = (token("a", TOKEN, None), token("b", TOKEN, None));
    second.sha256 = second.sha256.to_uppercase();
    let twice = StaticTokensError::Repeated("b".to_owned());
    assert_eq!(
        tokens(&[first.clone(), second.clone()], &TestClock::default()).err(),
        Some(twice.clone())
    );
    second.sha256 = hex("another");
    assert!(tokens(&[first.clone(), second.clone()], &TestClock::default()).is_ok());
    second.id = first.id;
    assert_eq!(
        tokens(&[first, second], &TestClock::default()).err(),
        Some(twice)
    );
}

#[test]
fn s1_without_an_authenticator_nobody_passes() {
    cgcg_testkit::run(async {
        let tokens = tokens(&[token("ci", TOKEN, None)], &TestClock::default()).unwrap();
        let principal = tokens
            .authenticate(Credential::Bearer(TOKEN))
            .await
            .unwrap();
        assert_eq!(
            NoAuthenticator
                .authenticate(Credential::Bearer(TOKEN))
                .await,
            Err(Denied::Unavailable)
        );
        assert!(!NoAuthenticator.still_valid(&principal).await);
        assert!(!format!("{:?}", Credential::Bearer(TOKEN)).contains(TOKEN));
    });
}
