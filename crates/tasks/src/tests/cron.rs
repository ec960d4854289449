use cgcg_core::Timestamp;

use crate::cron::Cron;

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// All times from `from` to before `until`.
fn fires(expression: &str, zone: &str, from: &str, until: &str) -> Vec<String> {
    let cron = Cron::parse(expression, zone).unwrap();
    let mut time = at(from) - std::time::Duration::from_micros(1);
    let mut times = Vec::new();
    while let Some(next) = cron.after(time).filter(|next| *next < at(until)) {
        assert!(next > time);
        times.push(next.to_string().replace(":00.000000Z", "Z"));
        time = next;
    }
    times
}

const UTC: &str = "UTC";
const BERLIN: &str = "Europe/Berlin";
const LORD_HOWE: &str = "Australia/Lord_Howe";

#[test]
fn a_time_of_day_fires_once_also_where_it_is_skipped_or_repeated() {
    let table = [
        (
            "30 2 * * *",
            BERLIN,
            "2026-03-29T00:00:00Z",
            "2026-03-29T01:00Z",
        ),
        (
            "0,30 2 * * *",
            BERLIN,
            "2026-03-29T00:00:00Z",
            "2026-03-29T01:00Z",
        ),
        (
            "30 2 * * *",
            BERLIN,
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30Z",
        ),
        (
            "0 0 * * *",
            "America/Havana",
            "2026-03-08T00:00:00Z",
            "2026-03-08T05:00Z",
        ),
        (
            "15 2 * * *",
            LORD_HOWE,
            "2026-10-03T02:00:00Z",
            "2026-10-03T15:30Z",
        ),
        (
            "45 1 * * *",
            LORD_HOWE,
            "2026-04-04T02:00:00Z",
            "2026-04-04T14:45Z",
        ),
    ];
    for (expression, zone, from, time) in table {
        let day = at(from) + std::time::Duration::from_secs(22 * 3_600);
        assert_eq!(
            fires(expression, zone, from, &day.to_string()),
            [time],
            "{expression} {zone}"
        );
    }
}

#[test]
fn an_hour_with_a_star_follows_real_time() {
    let berlin = |day: &str, next: &str| fires("0 * * * *", BERLIN, day, next).len();
    assert_eq!(berlin("2026-03-28T23:00:00Z", "2026-03-29T22:00:00Z"), 23);
    assert_eq!(berlin("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"), 25);
    let minutes = fires(
        "*/30 */2 * * *",
        BERLIN,
        "2026-10-25T00:00:00Z",
        "2026-10-25T03:00:00Z",
    );
    assert_eq!(
        minutes,
        [
            "2026-10-25T00:00Z",
            "2026-10-25T00:30Z",
            "2026-10-25T01:00Z",
            "2026-10-25T01:30Z"
        ]
    );
}

#[test]
fn a_time_of_day_fires_each_day_of_the_year_in_every_zone() {
    for zone in [
        UTC,
        BERLIN,
        LORD_HOWE,
        "America/Havana",
        "America/New_York",
        "Asia/Kathmandu",
        "Pacific/Apia",
    ] {
        for expression in ["30 2 * * *", "0 0 * * *", "59 23 * * *"] {
            let times = fires(
                expression,
                zone,
                "2026-01-02T00:00:00Z",
                "2027-01-02T00:00:00Z",
            );
            assert_eq!(times.len(), 365, "{expression} {zone}");
        }
    }
}

#[test]
fn days_of_the_month_and_of_the_week_are_either_unless_one_has_a_star() {
    let august = |expression: &str| {
        let times = fires(
            expression,
            UTC,
            "2026-08-01T00:00:00Z",
            "2026-09-01T00:00:00Z",
        );
        times
            .iter()
            .map(|time| time[8..10].parse::<u8>().unwrap())
            .collect::<Vec<_>>()
    };
    assert_eq!(august("0 0 13 * fri"), [7, 13, 14, 21, 28]);
    assert_eq!(august("0 0 13 * *"), [13]);
    assert_eq!(august("0 0 * * FRI"), [7, 14, 21, 28]);
    assert_eq!(august("0 0 * * 7"), august("0 0 * * sun"));
    assert_eq!(
        august("0 0 * * 5-7"),
        [1, 2, 7, 8, 9, 14, 15, 16, 21, 22, 23, 28, 29, 30]
    );
    assert_eq!(august("0 0 1-31/10 aug,dec *"), [1, 11, 21, 31]);
    assert_eq!(august("@monthly"), [1]);
    assert_eq!(august("@weekly"), [2, 9, 16, 23, 30]);
    assert!(august("0 0 * 7 *").is_empty());
}

#[test]
fn a_leap_day_fires_in_leap_years() {
    let times = fires(
        "0 12 29 2 *",
        UTC,
        "2026-01-01T00:00:00Z",
        "2033-01-01T00:00:00Z",
    );
    assert_eq!(times, ["2028-02-29T12:00Z", "2032-02-29T12:00Z"]);
    // 2100 is none.
    let times = fires(
        "0 12 29 2 *",
        UTC,
        "2096-03-01T00:00:00Z",
        "2105-01-01T00:00:00Z",
    );
    assert_eq!(times, ["2104-02-29T12:00Z"]);
}

const FIVE: &str =
    "expected five fields, as in 30 2 * * mon, or @hourly, @daily, @weekly, @monthly or @yearly";

#[test]
fn what_is_no_schedule_is_refused_with_the_place() {
    let code = |expression: &str, zone: &str| {
        let invalid = Cron::parse(expression, zone).unwrap_err();
        (invalid.code, invalid.detail)
    };
    for (expression, detail) in [
        ("", FIVE),
        ("* * * *", FIVE),
        ("* * * * * *", FIVE),
        ("60 * * * *", "expected 0 to 59 at position 1"),
        ("0 24 * * *", "expected 0 to 23 at position 3"),
        ("0 0 0 * *", "expected 1 to 31 at position 5"),
        ("0 0 1,32 * *", "expected 1 to 31 at position 7"),
        ("0 0 * jän *", "expected 1 to 12 at position 7"),
        ("0 0 * * 8", "expected 0 to 7 at position 9"),
        (
            "0 0 * * fri-mon",
            "expected a range that rises at position 9",
        ),
        ("*/0 * * * *", "expected a step of 1 to 60 at position 3"),
        (
            "5/2 * * * *",
            "expected a range before the step at position 1",
        ),
        ("+5 * * * *", "expected 0 to 59 at position 1"),
        ("1- * * * *", "expected 0 to 59 at position 3"),
        ("@reboot", FIVE),
    ] {
        assert_eq!(
            code(expression, UTC),
            ("cron_invalid", detail.to_owned()),
            "{expression}"
        );
    }
    assert_eq!(code("* * * * *", "Europe/Bielefeld").0, "time_zone_unknown");
    assert_eq!(code("0 0 30 2 *", UTC).0, "cron_never_fires");
    assert_eq!(code(&"0,".repeat(200), UTC).0, "cron_invalid");
}

#[test]
fn no_text_makes_it_panic() {
    let letters = b"0159*/-,@ jansu\xc3\xa4";
    let mut state = 1_u32;
    for _ in 0..5_000 {
        let text: Vec<u8> = (0..12)
            .map(|_| {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                letters[(state >> 24) as usize % letters.len()]
            })
            .collect();
        let _ = Cron::parse(&String::from_utf8_lossy(&text), UTC);
    }
}
