use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::Page;
use cgcg_web::{Caller, Json, Path, Problem, Query, RequireFresh};

use super::device;
use super::login::secret;
use super::roles::PageQuery;
use crate::Service;
use crate::schemas::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId};

/// Your API keys, oldest first.
#[utoipa::path(
    get,
    path = "/api/v1/auth/api-keys",
    tag = "auth",
    params(PageQuery),
    responses(
        (status = 200, body = Page<ApiKey>),
        (status = 403, description = "`person_required`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn list_api_keys(
    auth: Data<Service>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ApiKey>>, Problem> {
    Ok(Json(auth.api_keys(&caller, page.into()).await?))
}

/// Make an API key. It is shown this once. Needs a login of the last 15 minutes.
///
/// It may do what its scopes say, as far as you may do that at the time.
#[utoipa::path(
    post,
    path = "/api/v1/auth/api-keys",
    tag = "auth",
    request_body = ApiKeyCreate,
    responses(
        (status = 201, body = ApiKeyCreated, headers(("location" = String))),
        (status = 401, description = "`insufficient_user_authentication`"),
        (status = 403, description = "`scope_not_held`, `person_required`"),
        (status = 409, description = "`too_many_keys`"),
        (status = 422, description = "`display_name_invalid`, `scope_unknown`, `out_of_range`, `null_not_allowed`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn create_api_key(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireFresh,
    new: Json<ApiKeyCreate>,
) -> Result<HttpResponse, Problem> {
    let made = auth
        .create_api_key(&caller, new.0, &device(&request))
        .await?;
    Ok(created("/api/v1/auth/api-keys", &made))
}

/// One of your API keys.
#[utoipa::path(
    get,
    path = "/api/v1/auth/api-keys/{id}",
    tag = "auth",
    params(("id" = inline(ApiKeyId), Path)),
    responses(
        (status = 200, body = ApiKey),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`api_key_not_found`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn get_api_key(
    auth: Data<Service>,
    caller: Caller,
    id: Path<ApiKeyId>,
) -> Result<Json<ApiKey>, Problem> {
    Ok(Json(auth.api_key(&caller, id.0).await?))
}

/// Revoke one of your API keys, at once and for good.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/api-keys/{id}",
    tag = "auth",
    params(("id" = inline(ApiKeyId), Path)),
    responses(
        (status = 204, description = "Revoked."),
        (status = 403, description = "`person_required`"),
        (status = 404, description = "`api_key_not_found`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn delete_api_key(
    auth: Data<Service>,
    request: HttpRequest,
    caller: Caller,
    id: Path<ApiKeyId>,
) -> Result<HttpResponse, Problem> {
    auth.revoke_api_key(&caller, id.0, &device(&request))
        .await?;
    Ok(HttpResponse::NoContent().finish())
}

/// 201 that nobody on the way may keep, with the place of the key below `list`.
pub(super) fn created(list: &str, made: &ApiKeyCreated) -> HttpResponse {
    let location = format!("{list}/{}", made.api_key.id);
    secret(HttpResponse::Created())
        .insert_header((LOCATION, location))
        .json(made)
}
