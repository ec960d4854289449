use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::{Cursor, Limit, Page, PageRequest};
use cgcg_web::{IfMatch, Json, Path, Problem, Query, RequireScope, etag};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::device;
use crate::Service;
use crate::schemas::{Role, RoleCreate, RoleId, RoleUpdate, Scope};
use crate::scopes::{RolesRead, RolesWrite};

/// Which page of a list.
#[derive(Debug, Deserialize, IntoParams)]
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
    fn from(query: PageQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
        }
    }
}

/// All scopes.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Scopes {
    /// In alphabetical order.
    items: Vec<Scope>,
}

/// All scopes that the features of this server ask for, and those that some role has and nothing here asks for.
#[utoipa::path(
    get,
    path = "/api/v1/auth/scopes",
    tag = "auth",
    responses((status = 200, body = Scopes)),
    security(("oauth2" = ["auth:roles:read"]))
)]
pub(super) async fn list_scopes(
    auth: Data<Service>,
    caller: RequireScope<RolesRead>,
) -> Result<Json<Scopes>, Problem> {
    let items = auth.scopes(&caller).await?;
    Ok(Json(Scopes { items }))
}

/// Roles, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/roles",
    tag = "auth",
    params(PageQuery),
    responses((status = 200, body = Page<Role>)),
    security(("oauth2" = ["auth:roles:read"]))
)]
pub(super) async fn list_roles(
    auth: Data<Service>,
    caller: RequireScope<RolesRead>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<Role>>, Problem> {
    Ok(Json(auth.roles(&caller, page.into()).await?))
}

/// Make a role of scopes that you have.
#[utoipa::path(
    post,
    path = "/api/v1/auth/roles",
    tag = "auth",
    request_body = RoleCreate,
    responses(
        (status = 201, body = Role, headers(("location" = String), ("etag" = String, description = "The version."))),
        (status = 403, description = "`scope_not_held`"),
        (status = 409, description = "`name_taken`"),
        (status = 422, description = "`name_invalid`, `about_invalid`, `scope_unknown`, `out_of_range`"),
    ),
    security(("oauth2" = ["auth:roles:write"]))
)]
pub(super) async fn create_role(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<RolesWrite>,
    new: Json<RoleCreate>,
) -> Result<HttpResponse, Problem> {
    let role = auth.create_role(&caller, new.0, &device(&request)).await?;
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, format!("/api/v1/auth/roles/{}", role.id)))
        .insert_header(etag(role.version))
        .json(role))
}

/// One role.
#[utoipa::path(
    get,
    path = "/api/v1/auth/roles/{id}",
    tag = "auth",
    params(("id" = inline(RoleId), Path)),
    responses(
        (status = 200, body = Role, headers(("etag" = String, description = "The version."))),
        (status = 404, description = "`role_not_found`"),
    ),
    security(("oauth2" = ["auth:roles:read"]))
)]
pub(super) async fn get_role(
    auth: Data<Service>,
    caller: RequireScope<RolesRead>,
    id: Path<RoleId>,
) -> Result<HttpResponse, Problem> {
    let role = auth.role(&caller, id.0).await?;
    Ok(answer(role.version, role))
}

/// Change what a role may do, at once for everybody who has it.
#[utoipa::path(
    patch,
    path = "/api/v1/auth/roles/{id}",
    tag = "auth",
    params(
        ("id" = inline(RoleId), Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
    ),
    request_body = RoleUpdate,
    responses(
        (status = 200, body = Role, headers(("etag" = String, description = "The new version."))),
        (status = 403, description = "`scope_not_held`: a scope of before or of now is not yours"),
        (status = 404, description = "`role_not_found`"),
        (status = 409, description = "`builtin_role`"),
        (status = 412, description = "`version_mismatch`"),
        (status = 422, description = "`about_invalid`, `scope_unknown`, `out_of_range`"),
    ),
    security(("oauth2" = ["auth:roles:write"]))
)]
pub(super) async fn update_role(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<RolesWrite>,
    id: Path<RoleId>,
    if_match: IfMatch,
    change: Json<RoleUpdate>,
) -> Result<HttpResponse, Problem> {
    let (version, device) = (if_match.version(), device(&request));
    let role = auth
        .update_role(&caller, id.0, change.0, version, &device)
        .await?;
    Ok(answer(role.version, role))
}

/// Remove a role, and take it from everybody who has it.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/roles/{id}",
    tag = "auth",
    params(
        ("id" = inline(RoleId), Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
    ),
    responses(
        (status = 204, description = "Removed."),
        (status = 403, description = "`scope_not_held`"),
        (status = 404, description = "`role_not_found`"),
        (status = 409, description = "`builtin_role`; `role_in_use`: the settings give it to new accounts"),
        (status = 412, description = "`version_mismatch`"),
    ),
    security(("oauth2" = ["auth:roles:write"]))
)]
pub(super) async fn delete_role(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<RolesWrite>,
    id: Path<RoleId>,
    if_match: IfMatch,
) -> Result<HttpResponse, Problem> {
    let device = device(&request);
    auth.remove_role(&caller, id.0, if_match.version(), &device)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// 200 with the version as `ETag`.
pub(super) fn answer(version: i64, body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(version)).json(body)
}
