use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::Page;
use cgcg_web::{Json, Path, Problem, Query, RequireFresh, RequireScope};

use super::api_keys::created;
use super::device;
use super::roles::PageQuery;
use crate::Service;
use crate::schemas::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId, ServiceAccountId};
use crate::scopes::Services;

/// API keys of a machine, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/service-accounts/{id}/api-keys",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path), PageQuery),
    responses(
        (status = 200, body = Page<ApiKey>),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`service_account_not_found`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn list_service_keys(
    auth: Data<Service>,
    caller: RequireScope<Services>,
    id: Path<ServiceAccountId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    Ok(Json(auth.service_keys(&caller, id.0, page.into()).await?))
}

/// Make an API key for a machine. It is shown this once. Needs a login of the last 15 minutes.
///
/// You and the machine need its scopes. It may do what they say, as far as the machine may do that at the time.
#[utoipa::path(
    post,
    path = "/api/v1/auth/service-accounts/{id}/api-keys",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path)),
    request_body = ApiKeyCreate,
    responses(
        (status = 201, body = ApiKeyCreated, headers(("location" = String))),
        (status = 401, description = "`insufficient_user_authentication`"),
        (status = 403, description = "`scope_not_held`, `target_outranks_caller`, `person_required`"),
        (status = 404, description = "`service_account_not_found`"),
        (status = 409, description = "`too_many_keys`, `service_account_disabled`"),
        (status = 422, description = "`display_name_invalid`, `scope_unknown`, `out_of_range`, `null_not_allowed`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn create_service_key(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Services>,
    _fresh: RequireFresh,
    id: Path<ServiceAccountId>,
    new: Json<ApiKeyCreate>,
) -> Result<HttpResponse, Problem> {
    let made = auth
        .create_service_key(&caller, id.0, new.0, &device(&request))
        .await?;
    let list = format!("/api/v1/auth/service-accounts/{}/api-keys", id.0);
    Ok(created(&list, &made))
}

/// One API key of a machine.
#[utoipa::path(
    get,
    path = "/api/v1/auth/service-accounts/{id}/api-keys/{key}",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path), ("key" = inline(ApiKeyId), Path)),
    responses(
        (status = 200, body = ApiKey),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`service_account_not_found`, `api_key_not_found`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn get_service_key(
    auth: Data<Service>,
    caller: RequireScope<Services>,
    ids: Path<(ServiceAccountId, ApiKeyId)>,
) -> Result<Json<ApiKey>, Problem> {
    let (id, key) = ids.0;
    Ok(Json(auth.service_key(&caller, id, key).await?))
}

/// Revoke an API key of a machine, at once and for good.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/service-accounts/{id}/api-keys/{key}",
    tag = "auth",
    params(("id" = inline(ServiceAccountId), Path), ("key" = inline(ApiKeyId), Path)),
    responses(
        (status = 204, description = "Revoked."),
        (status = 403, description = "`target_outranks_caller`, `person_required`"),
        (status = 404, description = "`service_account_not_found`, `api_key_not_found`"),
    ),
    security(("oauth2" = ["auth:services"]))
)]
pub(super) async fn delete_service_key(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<Services>,
    ids: Path<(ServiceAccountId, ApiKeyId)>,
) -> Result<HttpResponse, Problem> {
    let (id, key) = ids.0;
    auth.revoke_service_key(&caller, id, key, &device(&request))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
