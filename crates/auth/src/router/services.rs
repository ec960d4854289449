use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::Page;
use cgcg_web::{IfMatch, Json, Path, Problem, Query, RequireScope, etag};

use super::device;
use super::roles::{PageQuery, answer};
use crate::Service;
use crate::schemas::{
    RolesUpdate, ServiceAccount, ServiceAccountCreate, ServiceAccountId, ServiceAccountUpdate,
    SubjectRoles,
};
use crate::scopes::Services;

/// Accounts of machines, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/service-accounts",
    tag = "auth",
    params(PageQuery),
    responses((status = 200, body = Page<ServiceAccount>)),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn list_service_accounts(
    auth: Data<Service>,
    caller: RequireScope<Services>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ServiceAccount>>, Problem> {
    Ok(Json(auth.service_accounts(&caller, page.into()).await?))
}

/// Make an account for a machine. It has no password and no login: give it an API key.
#[utoipa::path(
    post,
    path = "/api/v1/auth/service-accounts",
    tag = "auth",
    request_body = ServiceAccountCreate,
    responses(
        (status = 201, body = ServiceAccount, headers(("location" = String), ("etag" = String, description = "The version."))),
        (status = 403, description = "`scope_not_held`"),
        (status = 409, description = "`name_taken`"),
        (status = 422, description = "`name_invalid`, `about_invalid`, `role_unknown`, `out_of_range`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn create_service_account(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Services>,
    new: Json<ServiceAccountCreate>,
) -> Result<HttpResponse, Problem> {
    let device = device(&request);
    let made = auth.create_service_account(&caller, new.0, &device).await?;
    let location = format!("/api/v1/auth/service-accounts/{}", made.id);
    Ok(HttpResponse::Created()
        .insert_header((LOCATION, location))
        .insert_header(etag(made.version))
        .json(made))
}

/// One account of a machine.
#[utoipa::path(
    get,
    path = "/api/v1/auth/service-accounts/{id}",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path)),
    responses(
        (status = 200, body = ServiceAccount, headers(("etag" = String, description = "The version."))),
        (status = 404, description = "`service_account_not_found`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn get_service_account(
    auth: Data<Service>,
    caller: RequireScope<Services>,
    id: Path<ServiceAccountId>,
) -> Result<HttpResponse, Problem> {
    let found = auth.service_account(&caller, id.0).await?;
    Ok(answer(found.version, found))
}

/// Change an account of a machine. Disabled, its API keys end for good.
#[utoipa::path(
    patch,
    path = "/api/v1/auth/service-accounts/{id}",
    tag = "auth",
    params(
        ("id" = inline(ServiceAccountId), Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
    ),
    request_body = ServiceAccountUpdate,
    responses(
        (status = 200, body = ServiceAccount, headers(("etag" = String, description = "The new version."))),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`service_account_not_found`"),
        (status = 409, description = "`name_taken`"),
        (status = 412, description = "`version_mismatch`"),
        (status = 422, description = "`name_invalid`, `about_invalid`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn update_service_account(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Services>,
    id: Path<ServiceAccountId>,
    if_match: IfMatch,
    change: Json<ServiceAccountUpdate>,
) -> Result<HttpResponse, Problem> {
    let (version, device) = (if_match.version(), device(&request));
    let changed = auth
        .update_service_account(&caller, id.0, change.0, version, &device)
        .await?;
    Ok(answer(changed.version, changed))
}

/// Remove an account of a machine, with its API keys.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/service-accounts/{id}",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path)),
    responses(
        (status = 204, description = "Removed."),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`service_account_not_found`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn delete_service_account(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Services>,
    id: Path<ServiceAccountId>,
) -> Result<HttpResponse, Problem> {
    let device = device(&request);
    auth.remove_service_account(&caller, id.0, &device).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Give an account of a machine these roles and no others. Its API keys shrink and grow with them, at once.
#[utoipa::path(
    put,
    path = "/api/v1/auth/service-accounts/{id}/roles",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path)),
    request_body = RolesUpdate,
    responses(
        (status = 200, body = SubjectRoles),
        (status = 403, description = "`scope_not_held`: a new role may do what you may not; `target_outranks_caller`: the account may"),
        (status = 404, description = "`service_account_not_found`"),
        (status = 422, description = "`role_unknown`, `name_invalid`, `out_of_range`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn set_service_account_roles(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Services>,
    id: Path<ServiceAccountId>,
    change: Json<RolesUpdate>,
) -> Result<Json<SubjectRoles>, Problem> {
    let device = device(&request);
    let roles = auth
        .set_service_roles(&caller, id.0, &change.0, &device)
        .await?;
    Ok(Json(roles))
}
