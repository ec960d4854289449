mod list;

use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_core::Timestamp;
use cgcg_web::{Json, Path, Problem, Query, RequireScope};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::numbers::{priority, refused, within};
use super::problem::in_query;
use super::reach;
use super::shapes::Task;
use crate::scopes::{Admin, Cancel, Read};
use crate::{Cancelled, Error, Host, TaskId, TaskUpdate};

// The macro of the routes makes an item beside each handler: both are needed.
pub(super) use list::*;

/// How to read one task.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct GetQuery {
    /// Wait so many seconds for its end.
    #[param(minimum = 0, maximum = 30)]
    wait_s: Option<i64>,
    /// With what it was told.
    #[param(inline)]
    include: Option<Include>,
}

/// What an answer may have beside.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Include {
    /// What the task was told.
    Payload,
}

/// One task.
///
/// With `wait_s` the answer comes at its end, or when that time is over: look at `state`.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}",
    tag = "tasks",
    params(("id" = inline(TaskId), Path), GetQuery),
    responses(
        (status = 200, body = Task),
        (status = 404, description = "`task_not_found`"),
        (status = 422, description = "`out_of_range`"),
        (status = 429, description = "`too_many_waiters`"),
    ),
    security(("oauth2" = ["tasks:read"]))
)]
pub(super) async fn get_task(
    host: Data<Host>,
    caller: RequireScope<Read>,
    id: Path<TaskId>,
    Query(query): Query<GetQuery>,
) -> Result<HttpResponse, Problem> {
    let wait = within("wait_s", query.wait_s, (0, 30), 0).map_err(in_query)?;
    reach(&host, &caller, id.0).await?;
    let task = Task::from(wait_for(&host, id.0, Duration::from_secs(wait)).await?);
    let payload = match query.include {
        Some(Include::Payload) => host.tasks().find_payload(id.0).await?,
        None => None,
    };
    Ok(HttpResponse::Ok().json(task.with(payload)))
}

async fn wait_for(host: &Host, id: TaskId, time: Duration) -> Result<crate::TaskStatus, Error> {
    let tasks = host.tasks();
    let status = tasks.get_task_status(id).await?.ok_or(Error::NotFound)?;
    if time.is_zero() || status.state.ended() {
        return Ok(status);
    }
    let _place = host.http().wait()?;
    tokio::select! {
        () = host.stopping().cancelled() => tasks.get_task_status(id).await?.ok_or(Error::NotFound),
        status = tasks.wait(id, time) => status,
    }
}

/// Changes of a task that waits. What is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskUpdate)]
pub(super) struct Change {
    /// Not before; at most five years ahead.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    run_at: Option<Timestamp>,
    /// Lower runs first.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false, minimum = 0, maximum = 999)]
    priority: Option<i64>,
}

/// Change when or before whom a task runs that waits.
#[utoipa::path(
    patch,
    path = "/api/v1/tasks/{id}",
    tag = "tasks",
    params(("id" = inline(TaskId), Path)),
    request_body = Change,
    responses(
        (status = 200, body = Task),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`task_not_found`"),
        (status = 409, description = "`task_running`, `task_finished`"),
        (status = 422, description = "`run_at_too_far`, `out_of_range`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn update_task(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    id: Path<TaskId>,
    change: Json<Change>,
) -> Result<HttpResponse, Problem> {
    let change = TaskUpdate {
        run_at: change.0.run_at,
        priority: priority(change.0.priority)?,
    };
    open(&host, id.0).await?;
    let status = host.tasks().reschedule(id.0, change).await?;
    Ok(HttpResponse::Ok().json(Task::from(status)))
}

/// Delete a task that has ended.
#[utoipa::path(
    delete,
    path = "/api/v1/tasks/{id}",
    tag = "tasks",
    params(("id" = inline(TaskId), Path)),
    responses(
        (status = 204, description = "Deleted."),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`task_not_found`"),
        (status = 409, description = "`task_running`, `task_not_finished`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn delete_task(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    id: Path<TaskId>,
) -> Result<HttpResponse, Problem> {
    open(&host, id.0).await?;
    host.tasks().delete(id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// End a task.
///
/// One that waits ends at once: 200. One that runs is asked to: 202. Unless it succeeds first, it then ends as
/// cancelled.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/cancel",
    tag = "tasks",
    params(("id" = inline(TaskId), Path)),
    responses(
        (status = 200, body = Task, description = "It has ended."),
        (status = 202, body = Task, description = "It was asked to end."),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`task_not_found`"),
        (status = 409, description = "`task_finished`, with its `state`"),
    ),
    security(("oauth2" = ["tasks:cancel"]))
)]
pub(super) async fn cancel_task(
    host: Data<Host>,
    caller: RequireScope<Cancel>,
    id: Path<TaskId>,
) -> Result<HttpResponse, Problem> {
    reach(&host, &caller, id.0).await?;
    open(&host, id.0).await?;
    let cancelled = host.tasks().cancel(id.0).await?;
    let mut answer = match cancelled {
        Cancelled::AtOnce => HttpResponse::Ok(),
        Cancelled::Asked => HttpResponse::Accepted(),
    };
    Ok(answer.json(status(&host, id.0).await?))
}

/// Run a task again that failed or was cancelled; or one that waits for its time, now.
#[utoipa::path(
    post,
    path = "/api/v1/tasks/{id}/retry",
    tag = "tasks",
    params(("id" = inline(TaskId), Path)),
    responses(
        (status = 202, body = Task),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`task_not_found`"),
        (status = 409, description = "`task_running`, `task_not_retryable`, `unique_key_taken`, with the id of the task that has it"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn retry_task(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    id: Path<TaskId>,
) -> Result<HttpResponse, Problem> {
    open(&host, id.0).await?;
    host.tasks().retry(id.0).await?;
    Ok(HttpResponse::Accepted().json(status(&host, id.0).await?))
}

/// Whether others may change it: what the program does for itself is its own.
async fn open(host: &Host, id: TaskId) -> Result<(), Error> {
    let task = host.tasks().get_task_status(id).await?;
    let task = task.ok_or(Error::NotFound)?;
    match host.owns(&task.name) || host.owns(&task.queue) {
        true => Err(Error::NameReserved),
        false => Ok(()),
    }
}

async fn status(host: &Host, id: TaskId) -> Result<Task, Error> {
    let status = host.tasks().get_task_status(id).await?;
    Ok(status.ok_or(Error::NotFound)?.into())
}
