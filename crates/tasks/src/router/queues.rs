mod condition;
mod loads;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::Timestamp;
use cgcg_web::{IfMatch, Json, Path, Problem, RequireScope};
use serde::{Deserialize, Deserializer, Serialize};
use utoipa::ToSchema;

use super::answer;
use super::numbers::{fit, refused};
use crate::scopes::Admin;
use crate::{Error, Host, QueueLimits, QueueLoad, QueueName};
pub(super) use condition::Condition;
pub(crate) use loads::Loads;

/// What a queue may do; all of it. What is absent has no limit.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = QueueLimits)]
pub(super) struct Limits {
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
#[schema(as = QueueUpdate)]
pub(super) struct Change {
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
pub(super) struct Rate {
    /// So many.
    #[schema(minimum = 1, maximum = 1_000_000)]
    n: i64,
    /// In so many milliseconds.
    #[schema(minimum = 1, maximum = 86_400_000)]
    per_ms: i64,
}

/// A queue: what it may do, and what it has to do.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queue {
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
}

/// All queues that have limits or something to do, by name.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Queues {
    items: Vec<Queue>,
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
    fn checked(self) -> Result<QueueLimits, Error> {
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
    fn over(self, limits: QueueLimits) -> Result<QueueLimits, Error> {
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
    let wrong = || Error::invalid(field, "limit_invalid", "expected 1 to 1000000");
    fit(field, number).map_err(|_| wrong())
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
    fn new(name: &str, limits: QueueLimits, load: Option<&QueueLoad>) -> Self {
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
        }
    }
}

/// All queues that have limits or something to do, by name.
#[utoipa::path(
    get,
    path = "/api/v1/queues",
    tag = "tasks",
    responses((status = 200, body = Queues)),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn list_queues(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
) -> Result<HttpResponse, Problem> {
    let loads = host.http().loads.get(host.tasks()).await?;
    let mut limited = BTreeMap::new();
    let mut after = String::new();
    loop {
        let page = host.tasks().list_queues(&after).await?;
        let Some(last) = page.last() else { break };
        after.clone_from(&last.name);
        limited.extend(page.into_iter().map(|queue| (queue.name, queue.limits)));
    }
    let names: BTreeSet<&String> = limited.keys().chain(loads.keys()).collect();
    let items = names.into_iter().map(|name| {
        let limits = limited.get(name).copied().unwrap_or_default();
        Queue::new(name, limits, loads.get(name))
    });
    let items = items.collect();
    Ok(HttpResponse::Ok().json(Queues { items }))
}

/// One queue, whether it has limits or not.
#[utoipa::path(
    get,
    path = "/api/v1/queues/{name}",
    tag = "tasks",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Queue, headers(("etag" = String, description = "The version of its limits; `\"0\"` without."))),
        (status = 422, description = "`queue_invalid`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn get_queue(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let name = queue(name.0)?;
    shown(&host, &name).await
}

/// Set all limits of a queue.
///
/// They hold for all processes from this answer on. Give the `ETag` that you have read as `If-Match`, or
/// `If-None-Match: *` for a queue without limits.
#[utoipa::path(
    put,
    path = "/api/v1/queues/{name}",
    tag = "tasks",
    params(
        ("name" = String, Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
        ("if-none-match" = Option<String>, Header, description = "`*`: only where it has none."),
    ),
    request_body = Limits,
    responses(
        (status = 200, body = Queue, headers(("etag" = String, description = "The new version."))),
        (status = 412, description = "`version_mismatch`"),
        (status = 422, description = "`queue_invalid`, `limit_invalid`"),
        (status = 428, description = "`if_match_required`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn set_queue(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
    request: HttpRequest,
    if_match: IfMatch,
    limits: Json<Limits>,
) -> Result<HttpResponse, Problem> {
    let (name, condition) = (queue(name.0)?, Condition::of(&request, &if_match)?);
    let limits = limits.0.checked()?;
    host.tasks()
        .set_limits(&name, limits, condition.version())
        .await?;
    shown(&host, &name).await
}

/// Change limits of a queue, pause it, let it go on.
#[utoipa::path(
    patch,
    path = "/api/v1/queues/{name}",
    tag = "tasks",
    params(
        ("name" = String, Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
        ("if-none-match" = Option<String>, Header, description = "`*`: only where it has none."),
    ),
    request_body = Change,
    responses(
        (status = 200, body = Queue, headers(("etag" = String, description = "The new version."))),
        (status = 412, description = "`version_mismatch`"),
        (status = 422, description = "`queue_invalid`, `limit_invalid`"),
        (status = 428, description = "`if_match_required`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn update_queue(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
    request: HttpRequest,
    if_match: IfMatch,
    change: Json<Change>,
) -> Result<HttpResponse, Problem> {
    let (name, condition) = (queue(name.0)?, Condition::of(&request, &if_match)?);
    let stands = host.tasks().find_queue(&name).await?;
    let version = stands.as_ref().map_or(0, |queue| queue.version);
    if condition.version().is_some_and(|wanted| wanted != version) {
        return Err(Error::Changed.into());
    }
    let limits = stands.map(|queue| queue.limits).unwrap_or_default();
    let limits = change.0.over(limits)?;
    // Of the version that was read here: nobody comes in between.
    host.tasks()
        .set_limits(&name, limits, Some(version))
        .await?;
    shown(&host, &name).await
}

async fn shown(host: &Host, name: &QueueName) -> Result<HttpResponse, Problem> {
    let stands = host.tasks().find_queue(name).await?;
    let version = stands.as_ref().map_or(0, |queue| queue.version);
    let limits = stands.map(|queue| queue.limits).unwrap_or_default();
    let loads = host.http().loads.get(host.tasks()).await?;
    let load = loads.get(name.as_str());
    Ok(answer(version, Queue::new(name.as_str(), limits, load)))
}

fn queue(name: String) -> Result<QueueName, Error> {
    QueueName::parse(name).map_err(|invalid| Error::Invalid {
        field: "name",
        invalid,
    })
}
