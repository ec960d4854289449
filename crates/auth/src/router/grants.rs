use actix_web::HttpRequest;
use actix_web::web::Data;
use cgcg_core::{Id, User};
use cgcg_web::{Json, Path, Problem, RequireScope};

use super::device;
use crate::Service;
use crate::schemas::{RolesUpdate, SubjectRoles};
use crate::scopes::{RolesRead, RolesWrite};

/// An alias: the macro that documents would look for a type argument in the document.
type UserId = Id<User>;

/// Which roles an account has.
#[utoipa::path(
    get,
    path = "/api/v1/auth/users/{id}/roles",
    tag = "auth",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 200, body = SubjectRoles),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = ["auth:roles:read"]))
)]
pub(super) async fn get_user_roles(
    auth: Data<Service>,
    caller: RequireScope<RolesRead>,
    id: Path<UserId>,
) -> Result<Json<SubjectRoles>, Problem> {
    Ok(Json(auth.user_roles(&caller, id.0).await?))
}

/// Give an account these roles and no others.
///
/// Its access tokens are stale from then on: a refresh gives new ones with the new rights.
#[utoipa::path(
    put,
    path = "/api/v1/auth/users/{id}/roles",
    tag = "auth",
    params(("id" = inline(UserId), Path)),
    request_body = RolesUpdate,
    responses(
        (status = 200, body = SubjectRoles),
        (status = 403, description = "`scope_not_held`: a new role may do what you may not; `target_outranks_caller`: the account may"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`"),
        (status = 422, description = "`role_unknown`, `name_invalid`, `out_of_range`"),
    ),
    security(("oauth2" = ["auth:roles:write"]))
)]
pub(super) async fn set_user_roles(
    auth: Data<Service>,
    request: HttpRequest,
    caller: RequireScope<RolesWrite>,
    id: Path<UserId>,
    change: Json<RolesUpdate>,
) -> Result<Json<SubjectRoles>, Problem> {
    let device = device(&request);
    let roles = auth
        .set_user_roles(&caller, id.0, &change.0, &device)
        .await?;
    Ok(Json(roles))
}
