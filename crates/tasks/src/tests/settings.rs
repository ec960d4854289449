use cgcg_core::{Size, Span};

use crate::Settings;

#[test]
fn the_sample_names_every_default() {
    let defaults = Settings::default();
    let lines = [
        "queues = { default = 16 }".to_owned(),
        format!("lease = \"{}\"", defaults.lease),
        format!("beat = \"{}\"", defaults.beat),
        format!("default_timeout = \"{}\"", defaults.default_timeout),
        format!("default_max_attempts = {}", defaults.default_max_attempts),
        format!("backoff_base = \"{}\"", defaults.backoff_base),
        format!("backoff_max = \"{}\"", defaults.backoff_max),
        format!("payload_limit = \"{}\"", defaults.payload_limit),
        format!("result_limit = \"{}\"", defaults.result_limit),
        format!("poll = \"{}\"", defaults.poll),
        format!("prefetch = {}", defaults.prefetch),
        format!("notify = {}", defaults.notify),
        format!("relaxed_complete = {}", defaults.relaxed_complete),
        format!("shutdown_grace = \"{}\"", defaults.shutdown_grace),
        format!("cancel_grace = \"{}\"", defaults.cancel_grace),
        format!("keep_succeeded = \"{}\"", defaults.keep_succeeded),
        format!("keep_cancelled = \"{}\"", defaults.keep_cancelled),
        format!("keep_failed = \"{}\"", defaults.keep_failed),
        format!("keep_payload = {}", defaults.keep_payload),
        format!("idempotency_window = \"{}\"", defaults.idempotency_window),
        "announce = \"failed\"".to_owned(),
        "work_queues = {}".to_owned(),
    ];
    let sample = Settings::SAMPLE.lines().filter(|line| line.contains(" = "));
    let sample: Vec<_> = sample.map(|line| line.trim_start_matches("# ")).collect();
    assert_eq!(sample, lines);
}

#[test]
fn what_is_wrong_is_told_all_at_once() {
    assert!(Settings::default().validate().is_empty());
    let wrong = Settings {
        queues: [("a b".to_owned(), 1)].into(),
        lease: Span::seconds(4),
        beat: Span::seconds(2),
        default_timeout: Span::days(8),
        default_max_attempts: 0,
        backoff_base: Span::millis(0),
        backoff_max: Span::days(8),
        payload_limit: Size::mib(17),
        result_limit: Size::mib(17),
        poll: Span::millis(1),
        prefetch: 1_001,
        notify: false,
        relaxed_complete: true,
        shutdown_grace: Span::millis(1),
        cancel_grace: Span::days(1),
        keep_succeeded: Span::seconds(1),
        keep_cancelled: Span::seconds(1),
        keep_failed: Span::seconds(1),
        keep_payload: false,
        idempotency_window: Span::seconds(1),
        announce: crate::Announce::None,
        work_queues: [("ada".to_owned(), vec!["default".to_owned()])].into(),
    };
    assert_eq!(wrong.validate().len(), 18);
    let no_slots = Settings {
        queues: [("a".to_owned(), 0)].into(),
        ..Settings::default()
    };
    assert_eq!(no_slots.validate().len(), 1);
}
