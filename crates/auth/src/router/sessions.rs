use std::sync::Arc;

use actix_web::web::{Bytes, Data};
use actix_web::{FromRequest, HttpRequest, HttpResponse, dev};
use cgcg_core::{Principal, Secret};
use cgcg_web::{Caller, Json, Problem, Query, read_body};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;

use super::device;
use super::login::RefreshCreate;
use crate::Service;

/// What a logout shows: a refresh token in the body, else the bearer token.
pub(super) enum Proof {
    Bearer(Arc<Principal>),
    Refresh(Secret<String>),
}

impl FromRequest for Proof {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let body = read_body(&request, payload).await?;
            if body.is_empty() || body.trim_ascii() == b"null" {
                let caller = Caller::from_request(&request, &mut dev::Payload::None).await?;
                return Ok(Self::Bearer(caller.0));
            }
            let token = json(&request, body).await?;
            Ok(Self::Refresh(token.refresh_token))
        })
    }
}

async fn json(request: &HttpRequest, body: Bytes) -> Result<RefreshCreate, Problem> {
    let Json(token) = Json::from_request(request, &mut dev::Payload::from(body)).await?;
    Ok(token)
}

/// End a session: the one of the access token, or that of a refresh token.
#[utoipa::path(
    post,
    path = "/api/v1/auth/logout",
    tag = "auth",
    request_body(content = Option<RefreshCreate>, description = "Only without an access token."),
    responses((status = 204, description = "Ended."), (status = 401, description = "`invalid_grant`")),
    security(("oauth2" = []), ())
)]
pub(super) async fn end_session(
    auth: Data<Service>,
    request: HttpRequest,
    proof: Proof,
) -> Result<HttpResponse, Problem> {
    let device = device(&request);
    match proof {
        Proof::Bearer(caller) => auth.logout(&caller, &device).await?,
        Proof::Refresh(token) => auth.logout_with(&token, &device).await?,
    }
    Ok(HttpResponse::NoContent().finish())
}

/// Which sessions stay.
#[derive(Debug, Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct EndQuery {
    /// `current`: the session of this request stays. All end where absent.
    #[param(inline)]
    keep: Option<Keep>,
}

#[derive(Debug, Clone, Copy, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
enum Keep {
    Current,
}

/// End your sessions on all devices.
#[utoipa::path(
    delete,
    path = "/api/v1/auth/sessions",
    tag = "auth",
    params(EndQuery),
    responses(
        (status = 204, description = "Ended."),
        (status = 403, description = "`person_required`"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn end_sessions(
    auth: Data<Service>,
    request: HttpRequest,
    caller: Caller,
    query: Query<EndQuery>,
) -> Result<HttpResponse, Problem> {
    let device = device(&request);
    match query.0.keep {
        Some(Keep::Current) => auth.end_other_sessions(&caller, &device).await?,
        None => auth.end_sessions(&caller, &device).await?,
    }
    Ok(HttpResponse::NoContent().finish())
}
