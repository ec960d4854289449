use super::*;

const REQUIRED: [&str; 13] = [
    "iss",
    "aud",
    "sub",
    "client_id",
    "iat",
    "nbf",
    "exp",
    "jti",
    "sid",
    "auth_time",
    "amr",
    "ver",
    "roles",
];

/// JSON texts that fit no claim of that kind. Raw, since `Value` knows neither 1e300 as such nor 2^64.
const NO_TEXT: [&str; 9] = [
    "null",
    "1",
    "1.5",
    "true",
    "[]",
    r#"["a"]"#,
    "{}",
    r#"{"a":1}"#,
    "-1",
];
const NO_NUMBER: [&str; 14] = [
    "null",
    "1.5",
    "1893456000.0",
    "1e300",
    "1e9",
    "18446744073709551616",
    "9223372036854775808",
    r#""1893456000""#,
    r#""""#,
    "true",
    "[]",
    "[1893456000]",
    "{}",
    "NaN",
];
const NO_TEXTS: [&str; 7] = [
    "null",
    r#""pwd""#,
    "1",
    "{}",
    "[1]",
    "[null]",
    r#"[["pwd"]]"#,
];

fn kind(name: &str) -> &'static [&'static str] {
    match name {
        "iat" | "nbf" | "exp" | "auth_time" | "ver" => &NO_NUMBER,
        "amr" | "roles" => &NO_TEXTS,
        _ => &NO_TEXT,
    }
}

/// Good claims with the raw JSON of one of them replaced.
fn replaced(bench: &Bench, name: &str, raw: &str) -> String {
    let mut claims = serde_json::to_value(&bench.claims).unwrap();
    claims.as_object_mut().unwrap().remove(name);
    let rest = claims.to_string();
    format!(r#"{{"{name}":{raw},{}"#, &rest[1..])
}

#[test]
fn j9_each_claim_is_required() {
    let bench = Bench::new();
    for name in REQUIRED {
        let mut claims = serde_json::to_value(&bench.claims).unwrap();
        claims.as_object_mut().unwrap().remove(name);
        assert_eq!(
            bench.with_claims(&claims.to_string()),
            Err(Rejected::Claims),
            "{name}"
        );
    }
}

#[test]
fn j9_each_claim_has_its_type() {
    let bench = Bench::new();
    for name in REQUIRED.into_iter().chain(["scope"]) {
        for raw in kind(name) {
            assert_eq!(
                bench.with_claims(&replaced(&bench, name, raw)),
                Err(Rejected::Claims),
                "{name}: {raw}"
            );
        }
    }
}

#[test]
fn j9_ids_have_one_spelling() {
    let bench = Bench::new();
    let id = bench.claims.sub.to_string();
    let spellings = [
        String::new(),
        "me".to_owned(),
        id.replace('-', ""),
        format!("{{{id}}}"),
        format!("urn:uuid:{id}"),
    ];
    for (name, text) in spellings
        .iter()
        .flat_map(|text| ["sub", "sid", "jti"].map(|name| (name, text)))
    {
        assert_eq!(
            bench.with_claim(name, text.as_str().into()),
            Err(Rejected::Claims),
            "{name}: {text}"
        );
    }
}

#[test]
fn j9_far_off_times_are_refused_without_overflow() {
    let bench = Bench::new();
    for name in ["iat", "nbf", "exp"] {
        for value in [i64::MIN, i64::MIN + 1, -1, 0, i64::MAX - 1, i64::MAX] {
            let verdict = bench.with_claim(name, value.into());
            // A start of long ago is fine by itself.
            assert!(
                verdict.is_err() || name == "nbf" && value <= 0,
                "{name}: {value}"
            );
        }
    }
    for now in [i64::MIN, 0, i64::MAX] {
        let token = bench.mint();
        assert!(
            bench
                .verifier
                .verify(&token, Timestamp::from_micros(now))
                .is_err(),
            "{now}"
        );
    }
}

#[test]
fn j10_the_leeway_is_five_seconds() {
    let bench = Bench::new();
    let (token, claims) = (bench.mint(), &bench.claims);
    let at = |seconds: i64| {
        bench
            .verifier
            .verify(&token, Timestamp::from_micros(seconds * 1_000_000))
            .map(drop)
    };
    assert_eq!(at(claims.exp), Ok(()));
    assert_eq!(at(claims.exp + 4), Ok(()));
    assert_eq!(at(claims.exp + 5), Err(Rejected::Expired));
    assert_eq!(at(claims.iat - 5), Ok(()));
    assert_eq!(at(claims.iat - 6), Err(Rejected::NotYet));
    let now = NOW.seconds();
    for name in ["nbf", "iat"] {
        assert!(bench.with_claim(name, (now + 5).into()).is_ok(), "{name}");
        assert_eq!(
            bench.with_claim(name, (now + 6).into()),
            Err(Rejected::NotYet),
            "{name}"
        );
    }
}

#[test]
fn a_token_lives_an_hour_at_most() {
    let bench = Bench::new();
    let iat = bench.claims.iat;
    assert!(bench.with_claim("exp", (iat + 3_600).into()).is_ok());
    assert_eq!(
        bench.with_claim("exp", (iat + 3_601).into()),
        Err(Rejected::Life)
    );
    assert_eq!(bench.with_claim("exp", iat.into()), Err(Rejected::Life));
    assert_eq!(
        bench.with_claim("exp", (iat - 1).into()),
        Err(Rejected::Life)
    );
}

#[test]
fn j11_no_claim_stands_twice() {
    let bench = Bench::new();
    let good = serde_json::to_string(&bench.claims).unwrap();
    for name in REQUIRED {
        let value = &serde_json::to_value(&bench.claims).unwrap()[name];
        let twice = format!(r#"{{"{name}":{value},{}"#, &good[1..]);
        assert_eq!(bench.with_claims(&twice), Err(Rejected::Claims), "{name}");
    }
    let spelt_apart = format!(r#"{{"\u0073ub":"{}",{}"#, bench.claims.sub, &good[1..]);
    assert_eq!(bench.with_claims(&spelt_apart), Err(Rejected::Claims));
    let unknown = format!(r#"{{"act":1,"act":2,{}"#, &good[1..]);
    assert_eq!(bench.with_claims(&unknown), Err(Rejected::Claims));
}

#[test]
fn u4_a_claim_of_a_newer_node_is_let_through() {
    let bench = Bench::new();
    assert_eq!(
        bench.with_claim("act", json!({"sub": "x"})),
        Ok(bench.claims.clone())
    );
}

#[test]
fn claims_that_are_no_object_are_refused() {
    let bench = Bench::new();
    let good = serde_json::to_value(&bench.claims).unwrap();
    // serde_json sorts the members of a `Value`; the derive wants them in the order of the struct.
    let array: Vec<_> = REQUIRED
        .iter()
        .map(|name| good[name].clone())
        .chain([json!("")])
        .collect();
    let (array, good) = (json!(array).to_string(), good.to_string());
    for claims in [
        &array,
        "null",
        "{}",
        "[]",
        "0",
        "\"\"",
        "{",
        &good[1..],
        &format!("{good},"),
        &format!("{good}{good}"),
    ] {
        assert_eq!(bench.with_claims(claims), Err(Rejected::Claims), "{claims}");
    }
}
