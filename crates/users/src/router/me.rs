use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_core::Denied;
use cgcg_web::{Caller, IfMatch, Json, Problem, RequireFresh};

use super::answer;
use crate::{Me, MeUpdate, Service};

/// Your own account, and your scopes.
#[utoipa::path(
    get,
    path = "/api/v1/users/me",
    tag = "users",
    responses(
        (status = 200, body = Me, headers(("etag" = String, description = "The version."))),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn get_me(users: Data<Service>, caller: Caller) -> Result<HttpResponse, Problem> {
    let user = users.get(caller.user().ok_or(Denied::NotAPerson)?).await?;
    Ok(answer(user.version, Me::new(user, &caller.grants)))
}

/// Change your own account.
#[utoipa::path(
    patch,
    path = "/api/v1/users/me",
    tag = "users",
    params(("if-match" = Option<String>, Header, description = "The `ETag` that you have read.")),
    request_body = MeUpdate,
    responses(
        (status = 200, body = Me, headers(("etag" = String, description = "The new version."))),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`username_taken`"),
        (status = 412, description = "`version_mismatch`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn update_me(
    users: Data<Service>,
    caller: Caller,
    if_match: IfMatch,
    change: Json<MeUpdate>,
) -> Result<HttpResponse, Problem> {
    let user = users
        .update_me(&caller, change.0, if_match.version())
        .await?;
    Ok(answer(user.version, Me::new(user, &caller.grants)))
}

/// Delete your own account, for good. Needs a login of the last 15 minutes.
#[utoipa::path(
    delete,
    path = "/api/v1/users/me",
    tag = "users",
    responses(
        (status = 204, description = "Deleted."),
        (status = 401, description = "`insufficient_user_authentication`"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn delete_me(
    users: Data<Service>,
    caller: RequireFresh,
) -> Result<HttpResponse, Problem> {
    users
        .remove(&caller, caller.user().ok_or(Denied::NotAPerson)?)
        .await?;
    Ok(HttpResponse::NoContent().finish())
}
