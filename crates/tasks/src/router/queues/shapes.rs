use std::time::Duration;

use cgcg_core::Timestamp;
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use crate::router::numbers::refused;
use crate::{Error, QueueLimits, QueueLoad};

/// What a queue may do; all of it. What is absent has no limit.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueLimits, example = json!({ "max_running": 20, "rate": { "n": 100, "per_ms": 60_000 } }))]
pub(in crate::router) struct Limits {
    /// Nothing starts.
    #[serde(default)]
    #[schema(required = false)]
    paused: bool,
    /// So many run at once, in all processes together.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_running: Option<i64>,
    /// So many of one concurrency key run at once. Tasks without a key share one.
    #[schema(minimum = 1, maximum = 1_000_000)]
    max_per_key: Option<i64>,
    /// How many start in a time.
    rate: Option<Rate>,
    /// How many of one concurrency key start in a time.
    key_rate: Option<Rate>,
}

/// A change of what a queue may do. What is absent stays; `null` takes a limit away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueUpdate, example = json!({ "paused": true }))]
pub(in crate::router) struct Change {
    /// Nothing starts.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    paused: Option<bool>,
    /// So many run at once, in all processes together.
    #[serde(default, deserialize_with = "clears")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000)]
    max_running: Option<Option<i64>>,
    /// So many of one concurrency key run at once.
    #[serde(default, deserialize_with = "clears")]
    #[schema(value_type = Option<i64>, minimum = 1, maximum = 1_000_000)]
    max_per_key: Option<Option<i64>>,
    /// How many start in a time.
    #[serde(default, deserialize_with = "clears")]
    #[schema(value_type = Option<Rate>)]
    rate: Option<Option<Rate>>,
    /// How many of one concurrency key start in a time.
    #[serde(default, deserialize_with = "clears")]
    #[schema(value_type = Option<Rate>)]
    key_rate: Option<Option<Rate>>,
}

/// So many in a time, in the long run; up to as many at once, so in an unlucky window up to twice as many.
#[derive(Debug, Clone, Copy, Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::router) struct Rate {
    /// So many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    n: i64,
    /// In so many milliseconds.
    #[schema(minimum = 1, maximum = 86_400_000)]
    per_ms: i64,
}

/// A queue: what it may do, and what it has to do.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::router) struct Queue {
    /// Its name.
    name: String,
    /// Nothing starts.
    paused: bool,
    /// So many run at once, in all processes together.
    #[schema(required = true)]
    max_running: Option<u32>,
    /// So many of one concurrency key run at once.
    #[schema(required = true)]
    max_per_key: Option<u32>,
    /// How many start in a time.
    #[schema(required = true)]
    rate: Option<Rate>,
    /// How many of one concurrency key start in a time.
    #[schema(required = true)]
    key_rate: Option<Rate>,
    /// How many tasks may be taken; up to 15 seconds old.
    ready: u64,
    /// How many run; up to 15 seconds old.
    running: u64,
    /// Since when the oldest of those could be taken that may be.
    #[schema(required = true)]
    oldest_at: Option<Timestamp>,
    /// How many processes of this program take from it; up to 15 seconds old. Workers over HTTP are not among them.
    workers: u64,
}

/// All queues that have limits, workers or something to do, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(in crate::router) struct Queues {
    pub(super) items: Vec<Queue>,
}

/// Present, and `null` clears.
fn clears<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}

impl Limits {
    pub(super) fn checked(self) -> Result<QueueLimits, Error> {
        Ok(QueueLimits {
            paused: self.paused,
            max_running: limit("max_running", self.max_running)?,
            max_per_key: limit("max_per_key", self.max_per_key)?,
            rate: self.rate.map(|rate| rate.checked("rate")).transpose()?,
            key_rate: self
                .key_rate
                .map(|rate| rate.checked("key_rate"))
                .transpose()?,
        })
    }
}

impl Change {
    pub(super) fn over(self, limits: QueueLimits) -> Result<QueueLimits, Error> {
        let changed = Limits {
            paused: self.paused.unwrap_or(limits.paused),
            max_running: self
                .max_running
                .unwrap_or(limits.max_running.map(Into::into)),
            max_per_key: self
                .max_per_key
                .unwrap_or(limits.max_per_key.map(Into::into)),
            rate: self.rate.unwrap_or(limits.rate.map(Into::into)),
            key_rate: self.key_rate.unwrap_or(limits.key_rate.map(Into::into)),
        };
        changed.checked()
    }
}

/// Whatever does not fit is one code: the service says the range.
fn limit(field: &'static str, number: Option<i64>) -> Result<Option<u32>, Error> {
    let limit = number.map(u32::try_from).transpose();
    limit.map_err(|_| Error::invalid(field, "limit_invalid", "expected 1 to 1000000"))
}

impl Rate {
    fn checked(self, field: &'static str) -> Result<crate::Rate, Error> {
        let wrong = |_| {
            Error::invalid(
                field,
                "limit_invalid",
                "expected 1 to 1000000 in 1 ms to 1 d",
            )
        };
        Ok(crate::Rate {
            n: u32::try_from(self.n).map_err(wrong)?,
            per: Duration::from_millis(u64::try_from(self.per_ms).map_err(wrong)?),
        })
    }
}

impl From<crate::Rate> for Rate {
    fn from(rate: crate::Rate) -> Self {
        Self {
            n: rate.n.into(),
            per_ms: i64::try_from(rate.per.as_millis()).unwrap_or(i64::MAX),
        }
    }
}

impl Queue {
    pub(super) fn new(name: &str, limits: QueueLimits, load: Option<&QueueLoad>) -> Self {
        let load = load.cloned().unwrap_or_default();
        Self {
            name: name.to_owned(),
            paused: limits.paused,
            max_running: limits.max_running,
            max_per_key: limits.max_per_key,
            rate: limits.rate.map(Into::into),
            key_rate: limits.key_rate.map(Into::into),
            ready: load.ready,
            running: load.running,
            oldest_at: load.oldest_at,
            workers: load.workers,
        }
    }
}
