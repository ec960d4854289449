use std::collections::BTreeMap;

use cgcg_core::{Size, Span};
use serde::Deserialize;

use crate::QueueName;

/// Of which ends of tasks others are told. See [`crate::TOPICS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Announce {
    /// Of none.
    None,
    /// Of tasks that failed for good.
    Failed,
    /// Of all.
    All,
}

/// The section `tasks`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many tasks of each queue this process runs at once: a worker takes from these queues, and no others.
    /// 1 to 1000 each.
    pub queues: BTreeMap<String, u16>,
    /// How long a worker may keep a task without a sign of life. 5 s to 10 min.
    pub lease: Span,
    /// How often it gives one. At least 1 s, at most a third of `lease`.
    pub beat: Span,
    /// The hard end of one attempt, where the task does not say. 1 s to 7 d.
    pub default_timeout: Span,
    /// After so many attempts a task fails for good, where it does not say. 1 to 100.
    pub default_max_attempts: u32,
    /// Pause after the first failed attempt; it doubles with each. 1 ms to 1 d.
    pub backoff_base: Span,
    /// The longest such pause. At least `backoff_base`, at most 7 d.
    pub backoff_max: Span,
    /// The largest payload. 1KiB to 16MiB.
    pub payload_limit: Size,
    /// The largest result. 1KiB to 16MiB.
    pub result_limit: Size,
    /// How often a worker looks for work that nobody told it of. 100 ms to 1 min.
    pub poll: Span,
    /// For queues of many short tasks: so many of each are taken at most beyond the free places, as many as began in the
    /// last 20 ms. They count as running, an attempt included; a worker that is killed costs them one, and a pause of
    /// the queue does not hold them. 0 to 1000.
    pub prefetch: u16,
    /// PostgreSQL: whether processes tell each other of new work by `NOTIFY`. Where they hear, `poll` is five times as
    /// long.
    pub notify: bool,
    /// PostgreSQL: whether a completion may be told before it is on the disk. A crash of the server runs the work of
    /// the last moment again.
    pub relaxed_complete: bool,
    /// How long a worker that ends waits for what it runs; the rest is given back. 1 s to 10 min.
    pub shutdown_grace: Span,
    /// How long a handler that was asked to stop may go on. 0 s to 10 min.
    pub cancel_grace: Span,
    /// How long tasks are kept that succeeded. At least 1 min.
    pub keep_succeeded: Span,
    /// How long tasks are kept that were cancelled. At least 1 min.
    pub keep_cancelled: Span,
    /// How long tasks are kept that failed for good. At least 1 min.
    pub keep_failed: Span,
    /// Whether the payload is kept with a task that succeeded.
    pub keep_payload: bool,
    /// How long a repeated `Idempotency-Key` gets the first answer. 1 min to 7 d.
    pub idempotency_window: Span,
    /// Of which ends of tasks others are told: `none`, `failed` for good, or `all`.
    pub announce: Announce,
    /// Id of a principal, and the queues that it may take tasks from by HTTP; a `*` at the end stands for anything.
    /// Empty: whoever has the scope `tasks:work` may take from every queue but the program's own.
    pub work_queues: BTreeMap<String, Vec<String>>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            queues: BTreeMap::from([("default".to_owned(), 16)]),
            lease: Span::seconds(30),
            beat: Span::seconds(10),
            default_timeout: Span::minutes(60),
            default_max_attempts: 20,
            backoff_base: Span::seconds(1),
            backoff_max: Span::minutes(60),
            payload_limit: Size::kib(256),
            result_limit: Size::kib(256),
            poll: Span::seconds(1),
            prefetch: 0,
            notify: true,
            relaxed_complete: false,
            shutdown_grace: Span::seconds(25),
            cancel_grace: Span::seconds(30),
            keep_succeeded: Span::days(7),
            keep_cancelled: Span::days(7),
            keep_failed: Span::days(30),
            keep_payload: true,
            idempotency_window: Span::days(1),
            announce: Announce::Failed,
            work_queues: BTreeMap::new(),
        }
    }
}

/// The longest that a task may take, or pause between two attempts.
pub(crate) const LONGEST: Span = Span::days(7);

impl Settings {
    /// The section of a settings file, with every default.
    pub const SAMPLE: &str = include_str!("settings/sample.toml");

    /// All that is wrong, as (key, what to do).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let within = |value: Span, least, most| (least..=most).contains(&value);
        let second = Span::seconds(1);
        let size = |size: Size| (Size::kib(1)..=Size::mib(16)).contains(&size);
        let queue = |(name, slots): (&String, &u16)| {
            name.parse::<QueueName>().is_ok() && (1..=1_000).contains(slots)
        };
        let pattern = |queue: &String| {
            let start = queue.strip_suffix('*').unwrap_or(queue);
            start.is_empty() && queue == "*" || start.parse::<QueueName>().is_ok()
        };
        let work = |(id, queues): (&String, &Vec<String>)| {
            id.parse::<cgcg_core::Id<()>>().is_ok() && queues.iter().all(pattern)
        };
        let keeps = [
            ("keep_succeeded", self.keep_succeeded),
            ("keep_cancelled", self.keep_cancelled),
            ("keep_failed", self.keep_failed),
        ];
        let checks = [
            (
                "queues",
                self.queues.iter().all(queue),
                "expected names of ASCII letters, digits and ._:-, and 1 to 1000 slots each",
            ),
            (
                "lease",
                within(self.lease, Span::seconds(5), Span::minutes(10)),
                "expected 5s to 10m",
            ),
            (
                "beat",
                self.beat >= second && self.beat.get() * 3 <= self.lease.get(),
                "expected 1s to a third of lease",
            ),
            (
                "default_timeout",
                within(self.default_timeout, second, LONGEST),
                "expected 1s to 7d",
            ),
            (
                "default_max_attempts",
                (1..=100).contains(&self.default_max_attempts),
                "expected 1 to 100",
            ),
            (
                "backoff_base",
                within(self.backoff_base, Span::millis(1), Span::days(1)),
                "expected 1ms to 1d",
            ),
            (
                "backoff_max",
                within(self.backoff_max, self.backoff_base, LONGEST),
                "expected backoff_base to 7d",
            ),
            (
                "payload_limit",
                size(self.payload_limit),
                "expected 1KiB to 16MiB",
            ),
            (
                "result_limit",
                size(self.result_limit),
                "expected 1KiB to 16MiB",
            ),
            (
                "poll",
                within(self.poll, Span::millis(100), Span::minutes(1)),
                "expected 100ms to 1m",
            ),
            ("prefetch", self.prefetch <= 1_000, "expected 0 to 1000"),
            (
                "shutdown_grace",
                within(self.shutdown_grace, second, Span::minutes(10)),
                "expected 1s to 10m",
            ),
            (
                "idempotency_window",
                within(self.idempotency_window, Span::minutes(1), LONGEST),
                "expected 1m to 7d",
            ),
            (
                "work_queues",
                self.work_queues.iter().all(work),
                "expected ids of principals, each with a list of queues; `*` only at the end",
            ),
            (
                "cancel_grace",
                self.cancel_grace <= Span::minutes(10),
                "expected 0s to 10m",
            ),
        ];
        let keeps =
            keeps.map(|(key, time)| (key, time >= Span::minutes(1), "expected at least 1m"));
        let wrong = checks.into_iter().chain(keeps).filter(|(_, fits, _)| !fits);
        wrong.map(|(key, _, mend)| (key, mend.to_owned())).collect()
    }
}
