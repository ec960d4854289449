use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Invalid, Principal};
use serde::Deserialize;
use utoipa::ToSchema;

use crate::router::numbers::{out_of_range, within};
use crate::router::owner;
use crate::{Error, Host, Name, QueueName};

/// Queues of one call, at most.
const QUEUES: usize = 16;
/// Names of one call, at most.
const NAMES: usize = 200;

/// What a worker wants.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseRequest, example = json!({
    "worker": "w-1",
    "queues": ["default"],
    "names": ["thumbnail"],
    "max": 10,
    "wait_s": 20,
}))]
pub(in crate::router) struct NewLeases {
    /// Names this worker among yours: 1 to 64 ASCII letters, digits and `._:-`. Take a new one at each start.
    worker: String,
    /// Where to take from, in this order. 1 to 16.
    #[schema(min_items = 1, max_items = 16)]
    queues: Vec<String>,
    /// What the worker can do; anything where absent. 1 to 200.
    #[schema(min_items = 1, max_items = 200)]
    names: Option<Vec<String>>,
    /// At most so many tasks.
    #[schema(minimum = 1, maximum = 100, default = 1)]
    max: Option<i64>,
    /// For how long without a sign of life, in seconds; `tasks.lease` of the settings where absent.
    #[schema(minimum = 5, maximum = 600)]
    ttl_s: Option<i64>,
    /// Wait so many seconds for work.
    #[schema(minimum = 0, maximum = 30, default = 0)]
    wait_s: Option<i64>,
}

/// The same, checked.
pub(super) struct Wanted {
    /// With the principal before it: part of the fence.
    pub(super) worker: Arc<str>,
    pub(super) queues: Vec<QueueName>,
    /// `None` for anything.
    pub(super) names: Option<Arc<[String]>>,
    pub(super) max: usize,
    pub(super) ttl: Duration,
    pub(super) wait: Duration,
}

impl NewLeases {
    pub(super) fn checked(self, host: &Host, caller: &Principal) -> Result<Wanted, Error> {
        let max = within("max", self.max, (1, 100), 1)?;
        Ok(Wanted {
            worker: worker(caller, &self.worker)?,
            queues: queues(host, caller, self.queues)?,
            names: self
                .names
                .map(|names| self::names(host, names))
                .transpose()?,
            max: usize::try_from(max).unwrap_or(usize::MAX),
            ttl: ttl(host, self.ttl_s)?,
            wait: Duration::from_secs(within("wait_s", self.wait_s, (0, 30), 0)?),
        })
    }
}

/// No two principals share a worker, whatever they call theirs.
pub(super) fn worker(caller: &Principal, own: &str) -> Result<Arc<str>, Error> {
    // The alphabet of queues.
    QueueName::parse(own.to_owned()).map_err(|invalid| Error::Invalid {
        field: "worker",
        invalid: Invalid::new("worker_invalid", invalid.detail),
    })?;
    Ok(format!("{}:{own}", owner(caller)).into())
}

pub(super) fn ttl(host: &Host, ttl_s: Option<i64>) -> Result<Duration, Error> {
    match ttl_s {
        None => Ok(host.tasks().settings().lease.get()),
        given => Ok(Duration::from_secs(within("ttl_s", given, (5, 600), 5)?)),
    }
}

fn queues(host: &Host, caller: &Principal, queues: Vec<String>) -> Result<Vec<QueueName>, Error> {
    if !(1..=QUEUES).contains(&queues.len()) {
        return Err(out_of_range("queues", "expected 1 to 16 queues"));
    }
    let queue = |name| {
        let queue = QueueName::parse(name).map_err(|invalid| Error::Invalid {
            field: "queues",
            invalid,
        })?;
        match (host.owns(queue.as_str()), may_take(host, caller, &queue)) {
            (true, _) => Err(Error::NameReserved),
            (false, false) => Err(Error::QueueNotAllowed),
            (false, true) => Ok(queue),
        }
    };
    queues.into_iter().map(queue).collect()
}

/// Whether the settings give the queue to the caller.
fn may_take(host: &Host, caller: &Principal, queue: &QueueName) -> bool {
    let rights = &host.tasks().settings().work_queues;
    let fits = |pattern: &String| match pattern.strip_suffix('*') {
        Some(start) => queue.as_str().starts_with(start),
        None => queue.as_str() == pattern,
    };
    let mine = rights.get(&owner(caller));
    rights.is_empty() || mine.is_some_and(|queues| queues.iter().any(fits))
}

fn names(host: &Host, names: Vec<String>) -> Result<Arc<[String]>, Error> {
    if !(1..=NAMES).contains(&names.len()) {
        return Err(out_of_range("names", "expected 1 to 200 names"));
    }
    for name in &names {
        Name::parse(name.clone()).map_err(|invalid| Error::Invalid {
            field: "names",
            invalid,
        })?;
        if host.owns(name) {
            return Err(Error::NameReserved);
        }
    }
    Ok(names.into())
}
