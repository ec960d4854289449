mod shapes;

use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_web::{IfMatch, Json, Path, Problem, RequireScope, etag};

use super::answer;
use super::problem::no_schedule;
use super::queues::Condition;
use super::shapes::TaskCreated;
use crate::scopes::Admin;
use crate::{Error, Host};
use shapes::{Change, NewSchedule, Schedule, Schedules};

/// All schedules, by name.
#[utoipa::path(
    get,
    path = "/api/v1/schedules",
    tag = "tasks",
    responses((status = 200, body = Schedules)),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn list_schedules(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
) -> Result<HttpResponse, Problem> {
    let mut items: Vec<Schedule> = Vec::new();
    loop {
        let after = items.last().map_or("", |schedule| &schedule.name);
        let page = host.tasks().list_schedules(after).await?;
        if page.is_empty() {
            return Ok(HttpResponse::Ok().json(Schedules { items }));
        }
        items.extend(page.into_iter().map(Schedule::from));
    }
}

/// Make a schedule.
#[utoipa::path(
    post,
    path = "/api/v1/schedules",
    tag = "tasks",
    request_body = NewSchedule,
    responses(
        (status = 201, body = Schedule, headers(("location" = String), ("etag" = String, description = "The version."))),
        (status = 403, description = "`name_reserved`"),
        (status = 409, description = "`schedule_taken`"),
        (status = 413, description = "`payload_too_large`"),
        (status = 422, description = "`name_invalid`, `queue_invalid`, `cron_invalid`, `time_zone_unknown`, `cron_never_fires`, `payload_invalid`, `out_of_range`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn create_schedule(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    new: Json<NewSchedule>,
) -> Result<HttpResponse, Problem> {
    let (name, paused) = (new.0.name.clone(), new.0.paused);
    own(&host, &name)?;
    let new = new.0.checked(&host)?;
    let made = host.tasks().create_schedule(&name, new, paused).await?;
    let mut created = HttpResponse::Created();
    Ok(created
        .insert_header((LOCATION, format!("/api/v1/schedules/{name}")))
        .insert_header(etag(made.version))
        .json(Schedule::from(made)))
}

/// One schedule.
#[utoipa::path(
    get,
    path = "/api/v1/schedules/{name}",
    tag = "tasks",
    params(("name" = String, Path)),
    responses(
        (status = 200, body = Schedule, headers(("etag" = String, description = "The version."))),
        (status = 404, description = "`schedule_not_found`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn get_schedule(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    let found = host.tasks().find_schedule(&name.0).await?;
    let found = found.ok_or(Error::NotFound).map_err(no_schedule)?;
    Ok(answer(found.version, Schedule::from(found)))
}

/// Change a schedule, pause it, let it go on. It goes on from now: no tick of before is made up.
#[utoipa::path(
    patch,
    path = "/api/v1/schedules/{name}",
    tag = "tasks",
    params(
        ("name" = String, Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
    ),
    request_body = Change,
    responses(
        (status = 200, body = Schedule, headers(("etag" = String, description = "The new version."))),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`schedule_not_found`"),
        (status = 412, description = "`version_mismatch`"),
        (status = 413, description = "`payload_too_large`"),
        (status = 422, description = "`name_invalid`, `queue_invalid`, `cron_invalid`, `time_zone_unknown`, `cron_never_fires`, `payload_invalid`, `out_of_range`"),
        (status = 428, description = "`if_match_required`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn update_schedule(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
    request: HttpRequest,
    if_match: IfMatch,
    change: Json<Change>,
) -> Result<HttpResponse, Problem> {
    own(&host, &name.0)?;
    let version = Condition::of(&request, &if_match)?.version();
    let change = change.0.checked(&host)?;
    let changed = host.tasks().update_schedule(&name.0, change, version).await;
    let changed = changed.map_err(no_schedule)?;
    Ok(answer(changed.version, Schedule::from(changed)))
}

/// Remove a schedule. The tasks that it made stay.
#[utoipa::path(
    delete,
    path = "/api/v1/schedules/{name}",
    tag = "tasks",
    params(("name" = String, Path)),
    responses(
        (status = 204, description = "Removed."),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`schedule_not_found`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn delete_schedule(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    own(&host, &name.0)?;
    let removed = host.tasks().remove_schedule(&name.0).await;
    removed.map_err(no_schedule)?;
    Ok(HttpResponse::NoContent().finish())
}

/// Make a task of a schedule now, beside its ticks, whether it is paused or its last task still runs.
#[utoipa::path(
    post,
    path = "/api/v1/schedules/{name}/run",
    tag = "tasks",
    params(("name" = String, Path)),
    responses(
        (status = 201, body = TaskCreated, headers(("location" = String, description = "The task."))),
        (status = 403, description = "`name_reserved`"),
        (status = 404, description = "`schedule_not_found`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn run_schedule(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    name: Path<String>,
) -> Result<HttpResponse, Problem> {
    own(&host, &name.0)?;
    let made = host.tasks().run_schedule(&name.0).await;
    let made = made.map_err(no_schedule)?;
    let mut created = HttpResponse::Created();
    Ok(created
        .insert_header((LOCATION, format!("/api/v1/tasks/{}", made.id)))
        .json(TaskCreated::from(made)))
}

/// The program's own schedules are changed by the program alone.
fn own(host: &Host, name: &str) -> Result<(), Error> {
    match host.owns(name) {
        true => Err(Error::NameReserved),
        false => Ok(()),
    }
}
