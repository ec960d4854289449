use std::time::Duration;

use cgcg_core::{Clock, Id, Secret, Size, Span, Timestamp, User};
use cgcg_testkit::TestClock;
use serde::Deserialize;
use serde::de::IntoDeserializer;
use serde_json::{from_str, from_value, json, to_value};

#[test]
fn a_duration_is_a_whole_number_and_a_unit() {
    let table = [
        ("0s", 0, "0s"),
        ("1500ms", 1_500, "1500ms"),
        ("30s", 30_000, "30s"),
        ("90s", 90_000, "90s"),
        ("60s", 60_000, "1m"),
        ("24h", 86_400_000, "1d"),
        ("7d", 604_800_000, "7d"),
    ];
    for (text, millis, shown) in table {
        let span: Span = text.parse().unwrap();
        assert_eq!(span.get(), Duration::from_millis(millis), "{text}");
        assert_eq!(span.to_string(), shown);
        assert_eq!(from_value::<Span>(to_value(span).unwrap()).unwrap(), span);
    }
}

#[test]
fn what_is_no_duration_is_refused() {
    let overflow = format!("{}d", u64::MAX);
    for text in [
        "", "s", "30", "-1s", "+1s", "1.5s", " 1s", "1s ", "1 s", "1S", "1sec", "1m30s", "٣s",
        &overflow,
    ] {
        assert_eq!(
            text.parse::<Span>().expect_err(text).code,
            "duration_invalid"
        );
    }
    assert!(
        from_value::<Span>(json!(30)).is_err(),
        "a number has no unit"
    );
}

#[test]
fn a_size_is_a_number_of_bytes_or_a_whole_number_and_a_unit() {
    let table = [
        ("0B", 0, "0B"),
        ("10B", 10, "10B"),
        ("1024B", 1 << 10, "1KiB"),
        ("64MiB", 64 << 20, "64MiB"),
        ("2GiB", 2 << 30, "2GiB"),
    ];
    for (text, bytes, shown) in table {
        let size: Size = text.parse().unwrap();
        assert_eq!(
            (size.bytes(), size.to_string().as_str()),
            (bytes, shown),
            "{text}"
        );
        assert_eq!(from_value::<Size>(json!(bytes)).unwrap(), size);
        assert_eq!(from_value::<Size>(to_value(size).unwrap()).unwrap(), size);
    }
}

#[test]
fn what_is_no_size_is_refused() {
    let overflow = format!("{}GiB", u64::MAX);
    for text in [
        "", "MiB", "64", "64MB", "64mib", "-1B", "1.5GiB", "64 MiB", " 1B", &overflow,
    ] {
        assert_eq!(text.parse::<Size>().expect_err(text).code, "size_invalid");
    }
    for value in [json!(-1), json!(1.5), json!(true), json!(null), json!([1])] {
        assert!(from_value::<Size>(value.clone()).is_err(), "{value}");
    }
}

#[test]
fn a_secret_shows_nothing_in_debug_and_nothing_in_errors() {
    #[derive(Debug, Deserialize)]
    struct Settings {
        key: Secret<String>,
    }
    let settings: Settings = from_str(r#"{"key": "pass-phrase"}"#).unwrap();
    assert_eq!(settings.key.expose(), "pass-phrase");
    assert!(!format!("{settings:?} {settings:#?}").contains("phrase"));
    assert!(!format!("{:?}", Secret::new(vec![424_242_u32])).contains("424242"));
    for wrong in [
        "424242",
        "-424242",
        "424242.5",
        "[424242]",
        r#"{"a": 424242}"#,
    ] {
        let error = from_str::<Settings>(&format!(r#"{{"key": {wrong}}}"#)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("424242"), "{error}");
    }
    // As a reader of settings finds them: a key of digits only, not in quotes.
    let numbers: [serde_json::Error; 3] = [
        Secret::<String>::deserialize(424_242_u64.into_deserializer()).unwrap_err(),
        Secret::<String>::deserialize((-424_242_i64).into_deserializer()).unwrap_err(),
        Secret::<String>::deserialize(424_242.5_f64.into_deserializer()).unwrap_err(),
    ];
    for error in numbers {
        assert!(!format!("{error} {error:?}").contains("424242"), "{error}");
    }
}

#[test]
fn an_id_has_one_text() {
    let id: Id<User> = Id::new(TestClock::default().now());
    let text = id.to_string();
    assert_eq!(text.parse::<Id<User>>().unwrap(), id);
    assert_eq!(from_value::<Id<User>>(to_value(id).unwrap()).unwrap(), id);
    assert_eq!(id.uuid().get_version_num(), 7);
    for other in [
        format!("{{{text}}}"),
        format!("urn:uuid:{text}"),
        text.replace('-', ""),
        format!("{text} "),
        String::new(),
    ] {
        assert_eq!(
            other.parse::<Id<User>>().expect_err(&other).code,
            "id_invalid"
        );
    }
}

#[test]
fn ids_sort_by_the_time_they_were_made() {
    let clock = TestClock::default();
    let ids: Vec<Id<User>> = (0..100)
        .map(|_| {
            clock.advance(Duration::from_millis(1));
            Id::new(clock.now())
        })
        .collect();
    assert!(ids.is_sorted());
    // Wall clocks may stand before the epoch, which a UUID cannot.
    assert_eq!(
        Id::<User>::new(Timestamp::from_micros(-1))
            .uuid()
            .get_version_num(),
        7
    );
}

#[test]
fn a_time_is_rfc_3339_in_utc_to_the_microsecond() {
    let table = [
        ("2026-01-31T12:00:00Z", "2026-01-31T12:00:00.000000Z"),
        ("2026-01-31T12:00:00+02:00", "2026-01-31T10:00:00.000000Z"),
        ("2026-01-31T12:00:00.000001Z", "2026-01-31T12:00:00.000001Z"),
        (
            "2026-01-31T12:00:00.0000019Z",
            "2026-01-31T12:00:00.000001Z",
        ),
        (
            "1969-12-31T23:59:59.9999999Z",
            "1969-12-31T23:59:59.999999Z",
        ),
        ("9999-12-31T23:59:59.999999Z", "9999-12-31T23:59:59.999999Z"),
    ];
    for (text, shown) in table {
        let time: Timestamp = text.parse().unwrap();
        assert_eq!(time.to_string(), shown);
        assert_eq!(
            from_value::<Timestamp>(to_value(time).unwrap()).unwrap(),
            time
        );
    }
    for text in [
        "",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-02-30T12:00:00Z",
        "1769860800",
        "10000-01-01T00:00:00Z",
    ] {
        assert_eq!(
            text.parse::<Timestamp>().expect_err(text).code,
            "time_invalid"
        );
    }
}

#[test]
fn time_stops_at_the_last_that_can_be_written() {
    let last = Timestamp::default() + Duration::MAX;
    assert_eq!(last, Timestamp::MAX);
    assert_eq!(last.to_string(), "9999-12-31T23:59:59.999999Z");
    let early = Timestamp::from_micros(-1);
    assert_eq!(
        (early.seconds(), early.since(Timestamp::default())),
        (-1, Duration::ZERO)
    );
}
