use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_core::GroupError;
use cgcg_web::{Json, Problem, RequireScope};
use futures_util::future::join_all;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::request::worker;
use super::runs::{Claimed, LOST, Outcome, Outcomes, runs};
use crate::router::numbers::seconds;
use crate::scopes::Work;
use crate::settings::LONGEST;
use crate::store::lease::{Done, Next, Settled};
use crate::store::look::Run;
use crate::worker::backoff::{doubled, spread};
use crate::{Error, Host, Payload, TaskId};

/// The most that is kept of what went wrong, in bytes.
const TEXT: usize = 1_024;

/// How tasks ended, or go on.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(in crate::router) struct Ends<T> {
    /// As it was when the tasks were taken.
    worker: String,
    /// At most 1,000.
    #[schema(max_items = 1_000)]
    items: Vec<T>,
}

/// A success.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseComplete)]
pub(in crate::router) struct Success {
    /// The task.
    #[schema(inline)]
    id: TaskId,
    /// As it was answered.
    lease: i64,
    /// What came of it: any JSON, kept byte for byte.
    #[serde(default)]
    #[schema(value_type = Option<Value>)]
    result: Option<Box<RawValue>>,
}

/// A failure.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseFail)]
pub(in crate::router) struct Failure {
    /// The task.
    #[schema(inline)]
    id: TaskId,
    /// As it was answered.
    lease: i64,
    /// What went wrong; 1 KiB of it is kept, and whoever may read the task reads it.
    error: String,
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
#[schema(as = LeaseSnooze)]
pub(in crate::router) struct Pause {
    /// The task.
    #[schema(inline)]
    id: TaskId,
    /// As it was answered.
    lease: i64,
    /// Run again after so many seconds; this was no attempt.
    #[schema(minimum = 0, maximum = 604_800)]
    delay_s: i64,
}

/// Given back.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseRelease)]
pub(in crate::router) struct Release {
    /// The task.
    #[schema(inline)]
    id: TaskId,
    /// As it was answered.
    lease: i64,
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

/// End tasks as succeeded.
#[utoipa::path(
    post,
    path = "/api/v1/leases/complete",
    tag = "tasks",
    request_body = Ends<Success>,
    responses(
        (status = 200, body = Outcomes, description = "For each: `ok`; or a `code`: `lease_lost`, `payload_invalid`, `payload_too_large` (then the lease is still held)."),
        (status = 413, description = "`batch_too_large`"),
        (status = 422, description = "`worker_invalid`"),
    ),
    security(("oauth2" = ["tasks:work"]))
)]
pub(in crate::router) async fn complete_leases(
    host: Data<Host>,
    caller: RequireScope<Work>,
    ends: Json<Ends<Success>>,
) -> Result<HttpResponse, Problem> {
    let (worker, items) = (worker(&caller, &ends.0.worker)?, ends.0.items);
    let runs = runs(&host, &worker, &items).await?;
    let (host, worker) = (&host, &worker);
    let ends = runs.into_iter().zip(items).map(|(run, item)| async move {
        let Some(run) = run else {
            return Ok(Outcome::refused(item.id, LOST));
        };
        let result = match result(host, item.result) {
            Ok(result) => result,
            Err(code) => return Ok(Outcome::refused(item.id, code)),
        };
        let done = Done {
            id: item.id,
            fence: run.fence(),
            worker: worker.to_string(),
            result,
        };
        let held = host.tasks().complete(done).await?;
        Ok(Outcome::held(item.id, held))
    });
    answer(join_all(ends).await)
}

/// `None` for `null`, as handlers of this process have it.
fn result(host: &Host, result: Option<Box<RawValue>>) -> Result<Option<String>, &'static str> {
    let Some(result) = result else {
        return Ok(None);
    };
    if result.get().len() > host.tasks().settings().result_limit.bytes() {
        return Err("payload_too_large");
    }
    let result = Payload::parse(result.get().to_owned()).map_err(|invalid| invalid.code)?;
    Ok(Some(result.into_string()))
}

/// End attempts as failed.
///
/// A task with attempts left runs again after its usual pause, or the one that is asked for; the others fail for good.
#[utoipa::path(
    post,
    path = "/api/v1/leases/fail",
    tag = "tasks",
    request_body = Ends<Failure>,
    responses(
        (status = 200, body = Outcomes, description = "For each: `ok`; or a `code`: `lease_lost`, `code_invalid`, `out_of_range`, `retry_ambiguous`."),
        (status = 413, description = "`batch_too_large`"),
        (status = 422, description = "`worker_invalid`"),
    ),
    security(("oauth2" = ["tasks:work"]))
)]
pub(in crate::router) async fn fail_leases(
    host: Data<Host>,
    caller: RequireScope<Work>,
    ends: Json<Ends<Failure>>,
) -> Result<HttpResponse, Problem> {
    let (worker, items) = (worker(&caller, &ends.0.worker)?, ends.0.items);
    settle(&host, &worker, items, |run, item| {
        let next = item.next(&host, run)?;
        let error = json!({
            "at": host.tasks().clock().now().micros(),
            "attempt": run.attempt,
            "worker": &*worker,
            "code": item.code()?,
            "error": cut(&item.error),
        });
        Ok((next, Some(error)))
    })
    .await
}

impl Failure {
    fn code(&self) -> Result<&str, &'static str> {
        let code = self.code.as_deref().unwrap_or("error");
        let letter = |byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_');
        match (1..=64).contains(&code.len()) && code.bytes().all(letter) {
            true => Ok(code),
            false => Err("code_invalid"),
        }
    }

    fn next(&self, host: &Host, run: &Run) -> Result<Next, &'static str> {
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
fn cut(text: &str) -> String {
    let mut text = text.replace('\0', "\u{fffd}");
    text.truncate(text.floor_char_boundary(TEXT));
    text
}

fn delay(time: Option<i64>) -> Result<Option<Duration>, &'static str> {
    match seconds("delay_s", time) {
        Ok(time) if time.is_none_or(|time| time <= LONGEST.get()) => Ok(time),
        _ => Err("out_of_range"),
    }
}

/// Put tasks off: they run again later, and that was no attempt.
#[utoipa::path(
    post,
    path = "/api/v1/leases/snooze",
    tag = "tasks",
    request_body = Ends<Pause>,
    responses(
        (status = 200, body = Outcomes, description = "For each: `ok`; or a `code`: `lease_lost`, `out_of_range`."),
        (status = 413, description = "`batch_too_large`"),
        (status = 422, description = "`worker_invalid`"),
    ),
    security(("oauth2" = ["tasks:work"]))
)]
pub(in crate::router) async fn snooze_leases(
    host: Data<Host>,
    caller: RequireScope<Work>,
    ends: Json<Ends<Pause>>,
) -> Result<HttpResponse, Problem> {
    let (worker, items) = (worker(&caller, &ends.0.worker)?, ends.0.items);
    settle(&host, &worker, items, |_, item| {
        let time = delay(Some(item.delay_s))?.unwrap_or_default();
        Ok((Next::Snooze(time), None))
    })
    .await
}

/// Give tasks back: others may take them at once, and that was no attempt. Of those that somebody wants to end, it is
/// the end.
#[utoipa::path(
    post,
    path = "/api/v1/leases/release",
    tag = "tasks",
    request_body = Ends<Release>,
    responses(
        (status = 200, body = Outcomes, description = "For each: `ok`; or a `code`: `lease_lost`."),
        (status = 413, description = "`batch_too_large`"),
        (status = 422, description = "`worker_invalid`"),
    ),
    security(("oauth2" = ["tasks:work"]))
)]
pub(in crate::router) async fn release_leases(
    host: Data<Host>,
    caller: RequireScope<Work>,
    ends: Json<Ends<Release>>,
) -> Result<HttpResponse, Problem> {
    let (worker, items) = (worker(&caller, &ends.0.worker)?, ends.0.items);
    settle(&host, &worker, items, |_, _| Ok((Next::Release, None))).await
}

type Wish = Result<(Next, Option<serde_json::Value>), &'static str>;

/// All items share a commit, whatever becomes of each.
async fn settle<T: Claimed>(
    host: &Host,
    worker: &Arc<str>,
    items: Vec<T>,
    wish: impl Fn(&Run, &T) -> Wish,
) -> Result<HttpResponse, Problem> {
    let runs = runs(host, worker, &items).await?;
    let (tasks, wish) = (host.tasks(), &wish);
    let ends = runs.into_iter().zip(items).map(|(run, item)| async move {
        let Some(run) = run else {
            return Ok(Outcome::refused(item.id(), LOST));
        };
        let (next, error) = match wish(&run, &item) {
            Ok(wish) => wish,
            Err(code) => return Ok(Outcome::refused(item.id(), code)),
        };
        let settled = Settled {
            fence: run.fence(),
            worker: worker.to_string(),
            next,
            error,
        };
        let moved = tasks.settle(settled).await?;
        Ok(Outcome::held(item.id(), moved.is_some()))
    });
    answer(join_all(ends).await)
}

fn answer(outcomes: Vec<Result<Outcome, GroupError>>) -> Result<HttpResponse, Problem> {
    let items: Result<Vec<_>, _> = outcomes.into_iter().collect();
    let items = items.map_err(Error::from)?;
    Ok(HttpResponse::Ok().json(Outcomes { items }))
}
