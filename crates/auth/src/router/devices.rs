//! One's own sessions: the devices on which one is logged in.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::{Cursor, Id, Limit, Page, PageRequest, Session};
use cgcg_web::{Caller, Json, Path, Problem, Query};
use serde::Deserialize;

use super::device;
use crate::{Service, SessionInfo, SessionUpdate};

/// Names one session.
type SessionId = Id<Session>;

/// Which page.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct PageQuery {
    /// At most so many items.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

impl From<PageQuery> for PageRequest {
    fn from(PageQuery { limit, cursor }: PageQuery) -> Self {
        Self { limit, cursor }
    }
}

/// Your sessions, the newest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/sessions",
    tag = "auth",
    params(PageQuery),
    responses(
        (status = 200, body = Page<SessionInfo>),
        (status = 403, description = "`person_required`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn list_sessions(
    auth: Data<Service>,
    caller: Caller,
    page: Query<PageQuery>,
) -> Result<Json<Page<SessionInfo>>, Problem> {
    Ok(Json(auth.sessions(&caller, page.0.into()).await?))
}

/// The session of this request.
#[utoipa::path(
    get,
    path = "/api/v1/auth/sessions/current",
    tag = "auth",
    responses(
        (status = 200, body = SessionInfo),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`session_not_found`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn get_current_session(
    auth: Data<Service>,
    caller: Caller,
) -> Result<Json<SessionInfo>, Problem> {
    Ok(Json(auth.session(&caller).await?))
}

/// Name one of your sessions.
#[utoipa::path(
    patch,
    path = "/api/v1/auth/sessions/{id}",
    tag = "auth",
    params(("id" = inline(SessionId), Path)),
    request_body = SessionUpdate,
    responses(
        (status = 200, body = SessionInfo),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`session_not_found`"),
        (status = 422, description = "`display_name_invalid`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn update_session(
    auth: Data<Service>,
    caller: Caller,
    id: Path<SessionId>,
    change: Json<SessionUpdate>,
) -> Result<Json<SessionInfo>, Problem> {
    Ok(Json(auth.update_session(&caller, id.0, change.0).await?))
}

/// End one of your sessions. Nothing that was made for it works on this node from then on.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/sessions/{id}",
    tag = "auth",
    params(("id" = inline(SessionId), Path)),
    responses(
        (status = 204, description = "Ended."),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`session_not_found`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn delete_session(
    auth: Data<Service>,
    request: HttpRequest,
    caller: Caller,
    id: Path<SessionId>,
) -> Result<HttpResponse, Problem> {
    auth.end_session(&caller, id.0, &device(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}
