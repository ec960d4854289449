use cgcg_core::{Invalid, Size};
use serde_json::{Value, json};

use crate::{JsonObject, MeUpdate, Settings, UserCreate, UserUpdate};

#[test]
fn null_clears_only_what_may_be_empty() {
    let change: UserUpdate =
        serde_json::from_value(json!({ "username": null, "locale": null })).unwrap();
    assert_eq!(
        (change.username, change.locale, change.display_name),
        (Some(None), Some(None), None)
    );
    for field in ["email", "profile", "app_data"] {
        assert_eq!(
            refused::<UserUpdate>(json!({ field: null })),
            "null_not_allowed",
            "{field}"
        );
    }
    assert_eq!(
        refused::<MeUpdate>(json!({ "profile": null })),
        "null_not_allowed"
    );
}

#[test]
fn a1_nobody_sets_what_is_not_theirs_to_set() {
    let fields = [
        "id",
        "role",
        "roles",
        "is_superuser",
        "is_admin",
        "permissions",
        "scopes",
        "status",
        "email_verified_at",
        "epoch",
        "version",
        "password",
        "password_hash",
        "tenant",
    ];
    for field in fields {
        let with = |mut body: Value| {
            body[field] = json!("x");
            body
        };
        assert!(
            serde_json::from_value::<UserUpdate>(with(json!({}))).is_err(),
            "{field}"
        );
        assert!(
            serde_json::from_value::<MeUpdate>(with(json!({}))).is_err(),
            "{field}"
        );
        let create = with(json!({ "email": "ada@example.org" }));
        assert!(
            serde_json::from_value::<UserCreate>(create).is_err(),
            "{field}"
        );
    }
    for field in ["email", "app_data"] {
        assert!(
            serde_json::from_value::<MeUpdate>(json!({ field: null })).is_err(),
            "{field}"
        );
    }
}

#[test]
fn display_names_stay_on_their_line_and_in_their_direction() {
    let long = "ü".repeat(100);
    for text in ["A", "Ada Lovelace", "👩‍💻", "क्‍ष", "אבא", "O'Neil <x>", &long]
    {
        serde_json::from_value::<MeUpdate>(json!({ "display_name": text })).expect(text);
    }
    let too_long = "ü".repeat(101);
    for text in [
        "",
        "  ",
        "a\nb",
        "a\rb",
        "a\tb",
        "\u{7f}",
        "\u{85}",
        "a\u{2028}b",
        "a\u{2029}b",
        "\u{202a}x",
        "\u{202e}x",
        "\u{2066}x",
        "\u{2069}",
        &too_long,
    ] {
        assert_eq!(
            refused::<MeUpdate>(json!({ "display_name": text })),
            "display_name_invalid",
            "{text:?}"
        );
    }
}

#[test]
fn a_locale_is_a_language_tag() {
    for text in ["de", "de-AT", "zh-Hant-TW", "es-419", "en-US-u-hc-h12"] {
        serde_json::from_value::<MeUpdate>(json!({ "locale": text })).expect(text);
    }
    let long = format!("de{}", "-abcdefgh".repeat(4));
    for text in [
        "",
        "d",
        "de_AT",
        "de-",
        "-de",
        "de--AT",
        "d1",
        "abcdefghi",
        "de-abcdefghi",
        "dé",
        "../x",
        &long,
    ] {
        assert_eq!(
            refused::<MeUpdate>(json!({ "locale": text })),
            "locale_invalid",
            "{text:?}"
        );
    }
}

#[test]
fn nul_is_refused_wherever_it_stands() {
    for body in [
        json!({ "display_name": "a\0b" }),
        json!({ "locale": "de\0" }),
        json!({ "profile": { "a": "\0" } }),
        json!({ "profile": { "\0": 1 } }),
        json!({ "profile": { "a": [{ "b": ["x\0"] }] } }),
        json!({ "app_data": { "a": { "\0": 1 } } }),
    ] {
        assert_eq!(
            refused::<UserUpdate>(body.clone()),
            "text_invalid",
            "{body}"
        );
    }
}

#[test]
fn json_is_an_object_of_bounded_depth_and_plain_numbers() {
    let nested = |levels: usize| {
        let mut value = json!(1);
        for _ in 1..levels {
            value = json!([value]);
        }
        json!({ "a": value })
    };
    assert!(serde_json::from_value::<JsonObject>(nested(32)).is_ok());
    assert_eq!(refused::<JsonObject>(nested(33)), "json_too_deep");
    for number in [
        json!(1e31),
        json!(-1e300),
        json!(1e-31),
        json!(f64::MIN_POSITIVE),
    ] {
        assert_eq!(
            refused::<JsonObject>(json!({ "a": number })),
            "out_of_range"
        );
    }
    for other in [json!([]), json!("{}"), json!(1), json!(true)] {
        assert!(
            serde_json::from_value::<JsonObject>(other.clone()).is_err(),
            "{other}"
        );
    }
    let spaced: JsonObject = serde_json::from_str("{ \"a\" :\n1 }").unwrap();
    assert_eq!(spaced.as_str(), r#"{"a":1}"#);
}

#[test]
fn settings_say_all_that_is_wrong() {
    assert!(Settings::default().validate().is_empty());
    let wrong = Settings {
        profile_bytes: Size::mib(2),
        ..Settings::default()
    };
    assert_eq!(wrong.validate()[0].0, "profile_bytes");
    let read: Settings =
        serde_json::from_value(json!({ "usernames": "off", "profile_bytes": "1KiB" })).unwrap();
    assert_eq!(read.profile_bytes, Size::kib(1));
    assert!(serde_json::from_value::<Settings>(json!({ "username": "off" })).is_err());
    let shown = serde_json::to_value(Settings::default()).unwrap();
    for (key, value) in shown.as_object().unwrap() {
        assert!(
            Settings::SAMPLE.contains(&format!("# {key} = {value}\n")),
            "{key} = {value}"
        );
    }
}

/// The code with which `T` refuses `body`.
fn refused<T: serde::de::DeserializeOwned>(body: Value) -> String {
    let error = serde_json::from_value::<T>(body)
        .err()
        .expect("a refusal")
        .to_string();
    Invalid::unpack(&error).map_or_else(|| format!("no code: {error}"), |(code, _)| code.to_owned())
}
