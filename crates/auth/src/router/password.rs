use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_web::{Caller, Json, Problem};

use super::device;
use super::login::secret;
use crate::{AccessToken, PasswordChange, Reauthentication, Service};

/// Set another password.
///
/// Your other sessions end unless `keep_other_sessions` says otherwise, and all access tokens of before are stale. The
/// refresh token of this session stays as it is.
#[utoipa::path(
    post,
    path = "/api/v1/auth/password/change",
    tag = "auth",
    request_body = PasswordChange,
    responses(
        (status = 200, body = AccessToken),
        (status = 401, description = "`invalid_grant`: the session has just ended"),
        (status = 403, description = "`wrong_password`, `person_required`"),
        (status = 422, description = "`password_too_short`, `password_too_long`, `password_too_common`"),
        (status = 429, description = "`throttled`: too many wrong passwords; see `Retry-After`."),
        (status = 503, description = "`overloaded`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn change_password(
    auth: Data<Service>,
    request: HttpRequest,
    caller: Caller,
    change: Json<PasswordChange>,
) -> Result<HttpResponse, Problem> {
    let token = auth
        .change_password(&caller, &change.0, &device(&request))
        .await?;
    Ok(secret(HttpResponse::Ok()).json(token))
}

/// Prove once more who you are.
///
/// For operations that ask for a fresh login: they answer 401 `insufficient_user_authentication` otherwise.
#[utoipa::path(
    post,
    path = "/api/v1/auth/reauthenticate",
    tag = "auth",
    request_body = Reauthentication,
    responses(
        (status = 200, body = AccessToken),
        (status = 401, description = "`invalid_grant`: the session has just ended"),
        (status = 403, description = "`wrong_password`, `person_required`"),
        (status = 422, description = "`password_too_long`"),
        (status = 429, description = "`throttled`: too many wrong passwords; see `Retry-After`."),
        (status = 503, description = "`overloaded`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn reauthenticate(
    auth: Data<Service>,
    request: HttpRequest,
    caller: Caller,
    proof: Json<Reauthentication>,
) -> Result<HttpResponse, Problem> {
    let token = auth
        .reauthenticate(&caller, &proof.0, &device(&request))
        .await?;
    Ok(secret(HttpResponse::Ok()).json(token))
}
