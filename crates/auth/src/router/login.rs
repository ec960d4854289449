use actix_web::http::header::{CACHE_CONTROL, HeaderName, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, HttpResponseBuilder};
use cgcg_core::Secret;
use cgcg_web::{Json, Problem};
use serde::Deserialize;

use super::device;
use super::mail::{Accepted, check_email};
use crate::{
    AccountCreate, Answered, Credentials, Error, IdempotencyKey, Registered, Service, SetupCreate,
    Tokens, Welcome,
};

/// A refresh token.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct RefreshCreate {
    /// The newest one of the session.
    #[schema(value_type = String)]
    pub(super) refresh_token: Secret<String>,
}

/// Make an account.
///
/// Where addresses have to be proved, the answer is 202 for each, one that has an account too: mail tells the rest.
#[utoipa::path(
    post,
    path = "/api/v1/auth/register",
    tag = "auth",
    params(("idempotency-key" = Option<String>, Header,
        description = "A name for this request, 1 to 255 letters of printable ASCII: a repeat within 24 h gets the first answer.")),
    request_body = AccountCreate,
    responses(
        (status = 201, body = Registered, headers(
            ("location" = String, description = "The account."),
            ("idempotency-replayed" = String, description = "`true` where the answer was given before."),
        )),
        (status = 202, body = Accepted, headers(
            ("idempotency-replayed" = String, description = "`true` where the answer was given before."),
        )),
        (status = 400, description = "`idempotency_key_invalid`"),
        (status = 403, description = "`registration_closed`, `invite_required`, `email_domain_refused`"),
        (status = 409, description = "`email_taken`, `username_taken`: only where addresses need no proof"),
        (status = 422, description = "`email_invalid`, `password_too_short`, `password_too_long`, `password_too_common`, `display_name_invalid`, `username_invalid`, \
            `username_too_early` (addresses have to be proved first), `idempotency_key_reused`"),
        (status = 429, description = "`throttled`: too many registrations from this address; see `Retry-After`."),
    ),
    security(())
)]
pub(super) async fn register_user(
    auth: Data<Service>,
    request: HttpRequest,
    new: Json<AccountCreate>,
) -> Result<HttpResponse, Problem> {
    let answered = match idempotency_key(&request)? {
        Some(key) => auth.register_once(new.0, &key, &device(&request)).await?,
        None => Answered {
            welcome: auth.register(new.0, &device(&request)).await?,
            replayed: false,
        },
    };
    let mut answer = match answered.welcome {
        Welcome::Made(account) => created(&auth, &account).json(account),
        Welcome::CheckEmail => check_email(),
    };
    if answered.replayed {
        answer
            .headers_mut()
            .insert(REPLAYED, HeaderValue::from_static("true"));
    }
    Ok(answer)
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, Error> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Error::IdempotencyKeyInvalid)?;
    match values.next() {
        Some(_) => Err(Error::IdempotencyKeyInvalid),
        None => text.parse().map(Some),
    }
}

/// Log in with e-mail or user name and password.
#[utoipa::path(
    post,
    path = "/api/v1/auth/login",
    tag = "auth",
    request_body = Credentials,
    responses(
        (status = 200, body = Tokens),
        (status = 401, description = "`invalid_credentials`; so too where the address has yet to be proved: its owner gets a fresh link"),
        (status = 403, description = "Only after a right password: `account_disabled`, \
            `password_change_required` (its member `reset_token` sets a new one at `/auth/password/reset`)"),
        (status = 422, description = "`password_too_long`"),
        (status = 429, description = "`throttled`: too many tries from this address or at this account; see `Retry-After`."),
        (status = 503, description = "`overloaded`"),
    ),
    security(())
)]
pub(super) async fn create_session(
    auth: Data<Service>,
    request: HttpRequest,
    credentials: Json<Credentials>,
) -> Result<HttpResponse, Problem> {
    let tokens = auth.login(&credentials.0, &device(&request)).await?;
    Ok(secret(HttpResponse::Ok()).json(tokens))
}

/// Take a refresh token for its successor and a new access token.
///
/// The same token again gets the same answer for some seconds. Later it ends the session.
#[utoipa::path(
    post,
    path = "/api/v1/auth/refresh",
    tag = "auth",
    request_body = RefreshCreate,
    responses(
        (status = 200, body = Tokens),
        (status = 401, description = "`invalid_grant`"),
        (status = 429, description = "`throttled`: too many refreshes from this address; see `Retry-After`."),
    ),
    security(())
)]
pub(super) async fn refresh_session(
    auth: Data<Service>,
    request: HttpRequest,
    token: Json<RefreshCreate>,
) -> Result<HttpResponse, Problem> {
    let tokens = auth
        .refresh(&token.0.refresh_token, &device(&request))
        .await?;
    Ok(secret(HttpResponse::Ok()).json(tokens))
}

/// Make the first administrator, with the token of the set-up link.
#[utoipa::path(
    post,
    path = "/api/v1/auth/setup",
    tag = "auth",
    request_body = SetupCreate,
    responses(
        (status = 201, body = Tokens, headers(("location" = String, description = "The account."))),
        (status = 404, description = "`setup_closed`"),
        (status = 409, description = "`email_taken`"),
        (status = 422, description = "`email_invalid`, `password_too_short`, `password_too_long`, `password_too_common`, `display_name_invalid`"),
    ),
    security(())
)]
pub(super) async fn setup_admin(
    auth: Data<Service>,
    request: HttpRequest,
    new: Json<SetupCreate>,
) -> Result<HttpResponse, Problem> {
    let (account, tokens) = auth.setup(new.0, &device(&request)).await?;
    Ok(secret(created(&auth, &account)).json(tokens))
}

/// An answer that nobody on the way may keep.
pub(super) fn secret(mut answer: HttpResponseBuilder) -> HttpResponseBuilder {
    answer.insert_header((CACHE_CONTROL, "no-store"));
    answer
}

/// 201, with the place of the account where the host named one.
fn created(auth: &Service, account: &Registered) -> HttpResponseBuilder {
    let mut answer = HttpResponse::Created();
    if let Some(pattern) = auth.host().user_location {
        answer.insert_header((LOCATION, pattern.replace("{id}", &account.id.to_string())));
    }
    answer
}
