mod shapes;

use std::sync::Arc;

use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_core::GroupError;
use cgcg_web::{Json, Problem, RequireScope};
use futures_util::future::join_all;
use serde_json::json;
use serde_json::value::RawValue;

use super::count;
use super::repeats::Said;
use super::request::worker;
use super::runs::{Claimed, LOST, Outcome, Outcomes, runs};
use crate::scopes::Work;
use crate::store::lease::{Done, Next, Settled};
use crate::store::remote::Run;
use crate::{Error, Host, Payload, TaskState};
pub(in crate::router) use shapes::{Ends, Failure, Pause, Release, Success};
use shapes::{cut, delay};

/// End tasks as succeeded.
///
/// Whoever lost the answer may ask again, with the same lease and worker: it is `ok` again, and the first result stands.
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
    let said = Said::new(&items, &[TaskState::Succeeded]);
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
            fence: run.fence(),
            worker: worker.to_string(),
            result,
        };
        let held = host.tasks().complete(done).await?;
        count::succeeded(held);
        Ok(Outcome::held(item.id, held))
    });
    answer(host, worker, said, join_all(ends).await).await
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
/// A repeat of what ended a task is `ok` again; of what did not, it is `lease_lost`: others may have the task.
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
    let ends = &[TaskState::Failed, TaskState::Cancelled];
    settle(&host, &worker, items, ends, |run, item| {
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
    settle(&host, &worker, items, CANCELLED, |_, item| {
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
    let release = |_: &_, _: &_| Ok((Next::Release, None));
    settle(&host, &worker, items, CANCELLED, release).await
}

/// Whatever its worker says, a task ends so that somebody wants to end.
const CANCELLED: &[TaskState] = &[TaskState::Cancelled];

type Wish = Result<(Next, Option<serde_json::Value>), &'static str>;

/// All items share a commit, whatever becomes of each.
async fn settle<T: Claimed>(
    host: &Host,
    worker: &Arc<str>,
    items: Vec<T>,
    ends: &'static [TaskState],
    wish: impl Fn(&Run, &T) -> Wish,
) -> Result<HttpResponse, Problem> {
    let said = Said::new(&items, ends);
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
        count::settled(moved.as_ref(), next);
        Ok(Outcome::held(item.id(), moved.is_some()))
    });
    answer(host, worker, said, join_all(ends).await).await
}

async fn answer(
    host: &Host,
    worker: &str,
    said: Said,
    outcomes: Vec<Result<Outcome, GroupError>>,
) -> Result<HttpResponse, Problem> {
    let items: Result<Vec<_>, _> = outcomes.into_iter().collect();
    let items = said
        .again(host, worker, items.map_err(Error::from)?)
        .await?;
    count::lost(&items);
    Ok(HttpResponse::Ok().json(Outcomes { items }))
}
