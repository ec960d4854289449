use actix_web::HttpResponse;
use actix_web::http::header::LOCATION;
use actix_web::web::Data;
use cgcg_core::{AccountStatus, Cursor, Email, Limit, Page, PageRequest, Username};
use cgcg_web::{IfMatch, Json, Path, Problem, Query, RequireScope, etag};
use serde::Deserialize;
use utoipa::IntoParams;

use super::answer;
use crate::scopes::{Delete, Read, Write};
use crate::{NamePrefix, Order, Service, User, UserCreate, UserFilter, UserId, UserUpdate};

/// Which accounts, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct UserQuery {
    /// Has this e-mail, in whatever spelling.
    #[param(value_type = Option<String>)]
    email: Option<Email>,
    /// Has this user name.
    #[param(value_type = Option<String>)]
    username: Option<Username>,
    /// Has this status.
    #[param(inline)]
    status: Option<AccountStatus>,
    /// Has an e-mail or a user name that begins so, upper and lower case alike.
    #[param(value_type = Option<String>, max_length = 254)]
    q: Option<NamePrefix>,
    /// Which end comes first.
    #[serde(default)]
    #[param(inline, required = false)]
    order: Order,
    /// At most so many items.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Accounts by time of creation.
#[utoipa::path(
    get,
    path = "/api/v1/users",
    tag = "users",
    params(UserQuery),
    responses((status = 200, body = Page<User>)),
    security(("oauth2" = ["users:read"]))
)]
pub(super) async fn list_users(
    users: Data<Service>,
    _caller: RequireScope<Read>,
    Query(query): Query<UserQuery>,
) -> Result<HttpResponse, Problem> {
    let UserQuery {
        email,
        username,
        status,
        q,
        order,
        limit,
        cursor,
    } = query;
    let filter = UserFilter {
        email,
        username,
        status,
        q,
        order,
    };
    let page = users.list(filter, PageRequest { limit, cursor }).await?;
    Ok(HttpResponse::Ok().json(&*page))
}

/// Create an account. It has no password yet.
#[utoipa::path(
    post,
    path = "/api/v1/users",
    tag = "users",
    request_body = UserCreate,
    responses(
        (status = 201, body = User, headers(("location" = String), ("etag" = String, description = "The version."))),
        (status = 409, description = "`email_taken`, `username_taken`"),
    ),
    security(("oauth2" = ["users:write"]))
)]
pub(super) async fn create_user(
    users: Data<Service>,
    caller: RequireScope<Write>,
    new: Json<UserCreate>,
) -> Result<HttpResponse, Problem> {
    let user = users.create(&caller, new.0).await?;
    let location = format!("/api/v1/users/{}", user.id);
    let mut created = HttpResponse::Created();
    Ok(created
        .insert_header((LOCATION, location))
        .insert_header(etag(user.version))
        .json(user))
}

/// One account.
#[utoipa::path(
    get,
    path = "/api/v1/users/{id}",
    tag = "users",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 200, body = User, headers(("etag" = String, description = "The version."))),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = ["users:read"]))
)]
pub(super) async fn get_user(
    users: Data<Service>,
    _caller: RequireScope<Read>,
    id: Path<UserId>,
) -> Result<HttpResponse, Problem> {
    let user = users.get(id.0).await?;
    Ok(answer(user.version, user))
}

/// Change an account. Your own e-mail asks for your password: see `/api/v1/auth/email/change`.
#[utoipa::path(
    patch,
    path = "/api/v1/users/{id}",
    tag = "users",
    params(
        ("id" = inline(UserId), Path),
        ("if-match" = Option<String>, Header, description = "The `ETag` that you have read."),
    ),
    request_body = UserUpdate,
    responses(
        (status = 200, body = User, headers(("etag" = String, description = "The new version."))),
        (status = 403, description = "`target_outranks_caller`, `use_email_change`"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`email_taken`, `username_taken`"),
        (status = 412, description = "`version_mismatch`"),
    ),
    security(("oauth2" = ["users:write"]))
)]
pub(super) async fn update_user(
    users: Data<Service>,
    caller: RequireScope<Write>,
    id: Path<UserId>,
    if_match: IfMatch,
    change: Json<UserUpdate>,
) -> Result<HttpResponse, Problem> {
    let user = users
        .update(&caller, id.0, change.0, if_match.version())
        .await?;
    Ok(answer(user.version, user))
}

/// Delete an account, for good.
#[utoipa::path(
    delete,
    path = "/api/v1/users/{id}",
    tag = "users",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 204, description = "Deleted."),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`"),
    ),
    security(("oauth2" = ["users:delete"]))
)]
pub(super) async fn delete_user(
    users: Data<Service>,
    caller: RequireScope<Delete>,
    id: Path<UserId>,
) -> Result<HttpResponse, Problem> {
    users.remove(&caller, id.0).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Stop an account: its sessions and keys end.
#[utoipa::path(
    post,
    path = "/api/v1/users/{id}/disable",
    tag = "users",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 200, body = User, headers(("etag" = String, description = "The version."))),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`user_not_found`"),
        (status = 409, description = "`last_admin`"),
    ),
    security(("oauth2" = ["users:write"]))
)]
pub(super) async fn disable_user(
    users: Data<Service>,
    caller: RequireScope<Write>,
    id: Path<UserId>,
) -> Result<HttpResponse, Problem> {
    let user = users.disable(&caller, id.0).await?;
    Ok(answer(user.version, user))
}

/// Let a stopped account be used again.
#[utoipa::path(
    post,
    path = "/api/v1/users/{id}/enable",
    tag = "users",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 200, body = User, headers(("etag" = String, description = "The version."))),
        (status = 403, description = "`target_outranks_caller`"),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = ["users:write"]))
)]
pub(super) async fn enable_user(
    users: Data<Service>,
    caller: RequireScope<Write>,
    id: Path<UserId>,
) -> Result<HttpResponse, Problem> {
    let user = users.enable(&caller, id.0).await?;
    Ok(answer(user.version, user))
}
