mod claim;
mod count;
mod ends;
mod heartbeat;
pub(crate) mod held;
mod repeats;
mod request;
mod runs;

use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_core::{Cursor, Limit, Page, Timestamp};
use cgcg_web::{Problem, Query, RequireScope};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::scopes::Admin;
use crate::{Host, QueueName, TaskId};

// The macro of the routes makes an item beside each handler: both are needed.
pub(super) use claim::*;
pub(super) use ends::*;
pub(super) use heartbeat::*;

/// Which leases, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct LeaseQuery {
    /// Of tasks of this queue.
    queue: Option<String>,
    /// At most so many items.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// A task that runs, and where.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Lease {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    id: TaskId,
    /// Where it waited.
    queue: String,
    /// Which handler does it.
    name: String,
    /// Who has it; workers by HTTP have the id of their principal before their own.
    worker: String,
    /// Which attempt this is.
    attempt: u32,
    /// Taken at.
    started_at: Timestamp,
    /// Without a sign of life, over at.
    lease_until: Timestamp,
}

/// What runs where, oldest task first.
#[utoipa::path(
    get,
    path = "/api/v1/leases",
    tag = "tasks",
    params(LeaseQuery),
    responses(
        (status = 200, body = Page<Lease>),
        (status = 422, description = "`queue_invalid`"),
    ),
    security(("oauth2" = ["tasks:admin"]))
)]
pub(super) async fn list_leases(
    host: Data<Host>,
    _caller: RequireScope<Admin>,
    Query(query): Query<LeaseQuery>,
) -> Result<HttpResponse, Problem> {
    let queue = query.queue.map(QueueName::parse).transpose();
    let queue = queue.map_err(|invalid| Problem::invalid_in("query", "queue", &invalid))?;
    let after = query.cursor.map(|cursor| TaskId::from_uuid(cursor.id));
    let one_more = u8::try_from(query.limit.one_more()).unwrap_or(u8::MAX);
    let rows = host.tasks().list_leases(queue.as_ref(), after, one_more);
    let page = Page::of(rows.await?, query.limit, |lease| Cursor {
        at: lease.started_at,
        id: lease.id.uuid(),
    });
    Ok(HttpResponse::Ok().json(page.map(|lease| Lease {
        id: lease.id,
        queue: lease.queue,
        name: lease.name,
        worker: lease.worker,
        attempt: lease.attempt,
        started_at: lease.started_at,
        lease_until: lease.lease_until,
    })))
}
