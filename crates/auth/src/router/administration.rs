//! What administrators see of others: their sessions, and the audit.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::{Cursor, Id, Limit, Page, PageRequest, Timestamp, User};
use cgcg_web::{Json, Path, Problem, Query, RequireScope};
use serde::Deserialize;

use super::device;
use super::devices::PageQuery;
use crate::scopes::{AuditRead, Users};
use crate::{AuditAction, AuditEntry, AuditFilter, Service, SessionInfo};

/// Names one account.
type UserId = Id<User>;

/// The sessions of an account, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/users/{id}/sessions",
    tag = "auth",
    params(("id" = inline(UserId), Path), PageQuery),
    responses(
        (status = 200, body = Page<SessionInfo>),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = ["auth:users"]))
)]
pub(super) async fn list_user_sessions(
    auth: Data<Service>,
    caller: RequireScope<Users>,
    id: Path<UserId>,
    page: Query<PageQuery>,
) -> Result<Json<Page<SessionInfo>>, Problem> {
    Ok(Json(auth.sessions_of(&caller, id.0, page.0.into()).await?))
}

/// End all sessions of an account.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/users/{id}/sessions",
    tag = "auth",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 204, description = "Ended."),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = ["auth:users"]))
)]
pub(super) async fn end_user_sessions(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Users>,
    id: Path<UserId>,
) -> Result<HttpResponse, Problem> {
    auth.end_sessions_of(&caller, id.0, &device(&request))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Which lines, and which page of them.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct AuditQuery {
    /// About this account, service account or key.
    #[param(value_type = Option<String>, format = "uuid")]
    subject: Option<UserId>,
    /// Done by this account or service account; the nil id is the command line.
    #[param(value_type = Option<String>, format = "uuid")]
    actor: Option<UserId>,
    /// Exactly this action, as in `login.failure`.
    #[param(value_type = Option<String>, pattern = "^[a-z_.]{1,64}$")]
    action: Option<AuditAction>,
    /// At this time or later.
    #[param(value_type = Option<String>, format = "date-time")]
    from: Option<Timestamp>,
    /// Before this time.
    #[param(value_type = Option<String>, format = "date-time")]
    to: Option<Timestamp>,
    /// At most so many items.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Who did what, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/audit",
    tag = "auth",
    params(AuditQuery),
    responses((status = 200, body = Page<AuditEntry>)),
    security(("oauth2" = ["auth:audit:read"]))
)]
pub(super) async fn list_audit(
    auth: Data<Service>,
    caller: RequireScope<AuditRead>,
    Query(query): Query<AuditQuery>,
) -> Result<Json<Page<AuditEntry>>, Problem> {
    let AuditQuery { limit, cursor, .. } = query;
    let filter = AuditFilter {
        subject: query.subject.map(Id::uuid),
        actor: query.actor.map(Id::uuid),
        action: query.action,
        from: query.from,
        to: query.to,
    };
    let page = PageRequest { limit, cursor };
    Ok(Json(auth.audit(&caller, &filter, page).await?))
}
