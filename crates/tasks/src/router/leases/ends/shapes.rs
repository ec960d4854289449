use std::time::Duration;

use serde::Deserialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::router::leases::runs::Claimed;
use crate::router::numbers::seconds;
use crate::settings::LONGEST;
use crate::store::lease::Next;
use crate::store::remote::Run;
use crate::worker::backoff::{doubled, spread};
use crate::{Host, TaskId};

/// The most that is kept of what went wrong, in bytes.
const TEXT: usize = 1_024;

/// How tasks ended, or go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::router) struct Ends<T> {
    /// As it was when the tasks were taken.
    #[schema(example = "w-1")]
    pub(super) worker: String,
    /// At most 1,000.
    #[schema(max_items = 1_000)]
    pub(super) items: Vec<T>,
}

/// A success.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseComplete, example = json!({
    "id": "01a21a40-5f4c-7c10-8a5b-1b1f6f0e7d11", "lease": 1, "result": { "bytes": 5120 },
}))]
pub(in crate::router) struct Success {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: TaskId,
    /// As it was answered.
    pub(super) lease: i64,
    /// What came of it: any JSON, kept byte for byte.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    pub(super) result: Option<Box<RawValue>>,
}

/// A failure.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseFail, example = json!({
    "id": "01a21a40-5f4c-7c10-8a5b-1b1f6f0e7d11", "lease": 1, "error": "no such file", "code": "file_missing", "dead": true,
}))]
pub(in crate::router) struct Failure {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: TaskId,
    /// As it was answered.
    pub(super) lease: i64,
    /// What went wrong; 1 KiB of it is kept, and whoever may read the task reads it.
    pub(super) error: String,
    /// A code of your own for those who sort dead letters: lower-case letters, digits and `_`, at most 64.
    code: Option<String>,
    /// Run again after so many seconds instead of the usual pause. Not with `dead`.
    #[schema(minimum = 0, maximum = 604_800)]
    retry_after_s: Option<i64>,
    /// Never better: it fails for good.
    #[serde(default)]
    #[schema(required = false)]
    dead: bool,
}

/// Not yet.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseSnooze, example = json!({ "id": "01a21a40-5f4c-7c10-8a5b-1b1f6f0e7d11", "lease": 1, "delay_s": 60 }))]
pub(in crate::router) struct Pause {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: TaskId,
    /// As it was answered.
    pub(super) lease: i64,
    /// Run again after so many seconds; this was no attempt.
    #[schema(minimum = 0, maximum = 604_800)]
    pub(super) delay_s: i64,
}

/// Given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseRelease, example = json!({ "id": "01a21a40-5f4c-7c10-8a5b-1b1f6f0e7d11", "lease": 1 }))]
pub(in crate::router) struct Release {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: TaskId,
    /// As it was answered.
    pub(super) lease: i64,
}

macro_rules! claimed {
    ($($item:ty),+) => {$(
        impl Claimed for $item {
            fn id(&self) -> TaskId {
                self.id
            }

            fn lease(&self) -> i64 {
                self.lease
            }
        }
    )+};
}

claimed!(Success, Failure, Pause, Release);

impl Failure {
    pub(super) fn code(&self) -> Result<&str, &'static str> {
        let code = self.code.as_deref().unwrap_or("error");
        let letter = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        match (1..=64).contains(&code.len()) && code.bytes().all(letter) {
            true => Ok(code),
            false => Err("code_invalid"),
        }
    }

    pub(super) fn next(&self, host: &Host, run: &Run) -> Result<Next, &'static str> {
        let after = delay(self.retry_after_s)?;
        if self.dead && after.is_some() {
            return Err("retry_ambiguous");
        }
        if self.dead || run.attempt >= run.max_attempts {
            return Ok(Next::Fail);
        }
        let settings = host.tasks().settings();
        let (base, most) = (settings.backoff_base.get(), settings.backoff_max.get());
        let attempt = run.attempt.unsigned_abs();
        let usual = || spread(doubled(base, most, attempt), (run.id, attempt));
        Ok(Next::Retry(after.unwrap_or_else(usual)))
    }
}

/// PostgreSQL cannot store the character NUL, not even escaped in JSON.
pub(super) fn cut(text: &str) -> String {
    let mut text = text.replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

pub(super) fn delay(time: Option<i64>) -> Result<Option<Duration>, &'static str> {
    match seconds("delay_s", time) {
        Ok(time) if time.is_none_or(|time| time <= LONGEST.get()) => Ok(time),
        _ => Err("out_of_range"),
    }
}
