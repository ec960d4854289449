mod condition;
mod loads;
mod shapes;

use std::collections::{BTreeMap, BTreeSet};

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_web::{IfMatch, Json, Path, Problem, RequireScope};

use super::answer;
use crate::scopes::Admin;
use crate::{Error, Host, QueueName};
pub(super) use condition::Condition;
pub(crate) use loads::Loads;
use shapes::{Change, Limits, Queue, Queues};

/// All queues that have limits, workers or something to do, by name.
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
        (status = 403, description = "`name_reserved`"),
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
    let (name, condition) = (open(&host, name.0)?, Condition::of(&request, &if_match)?);
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
        (status = 403, description = "`name_reserved`"),
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
    let (name, condition) = (open(&host, name.0)?, Condition::of(&request, &if_match)?);
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

/// A queue that is not the program's own: who may pause that stops its mail.
fn open(host: &Host, name: String) -> Result<QueueName, Problem> {
    let name = queue(name)?;
    match host.owns(name.as_str()) {
        true => Err(Error::NameReserved.into()),
        false => Ok(name),
    }
}

async fn shown(host: &Host, name: &QueueName) -> Result<HttpResponse, Problem> {
    let stands = host.tasks().find_queue(name).await?;
    let version = stands.as_ref().map_or(0, |queue| queue.version);
    let limits = stands.map(|queue| queue.limits).unwrap_or_default();
    let loads = host.http().loads.get(host.tasks()).await?;
    let load = loads.get(name.as_str());
    Ok(answer(version, Queue::new(name.as_str(), limits, load)))
}

fn queue(name: String) -> Result<QueueName, Problem> {
    QueueName::parse(name).map_err(|invalid| Problem::invalid_in("path", "name", &invalid))
}
