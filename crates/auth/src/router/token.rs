//! The OAuth door (RFC 6749): a form in, errors in its own words. For the login form of `/docs` and for clients that
//! know nothing else.

use std::borrow::Cow;
use std::collections::BTreeMap;

use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderValue, PRAGMA, RETRY_AFTER};
use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use cgcg_core::Secret;
use cgcg_web::{Problem, read_body, request_id};
use serde_json::json;

use super::device;
use crate::{Credentials, Error, Service, Tokens};

const FORM: &str = "application/x-www-form-urlencoded";

/// What the form may hold. Other names are ignored, as RFC 6749 wants it.
#[derive(utoipa::ToSchema)]
#[schema(as = TokenForm)]
#[expect(
    dead_code,
    reason = "the form is read by hand; this is its description"
)]
pub(super) struct TokenForm {
    /// `password` or `refresh_token`; `password` where it is absent and there is a `username`.
    grant_type: Option<String>,
    /// E-mail or user name, for `password`.
    username: Option<String>,
    /// For `password`.
    #[schema(format = "password")]
    password: Option<String>,
    /// For `password`: what the session may do at most, parted by blanks.
    scope: Option<String>,
    /// For `refresh_token`.
    refresh_token: Option<String>,
}

/// Log in or refresh, as OAuth 2 has it. Errors are `application/json` with `error` (RFC 6749, section 5.2).
#[utoipa::path(
    post,
    path = "/api/v1/auth/token",
    tag = "auth",
    request_body(content = TokenForm, content_type = "application/x-www-form-urlencoded"),
    responses(
        (status = 200, body = Tokens),
        (status = 400, description = "`invalid_request`, `invalid_grant`, `invalid_scope`, `unsupported_grant_type`",
            content_type = "application/json", body = Object),
        (status = 429, description = "`throttled`; as an OAuth error it is \"temporarily_unavailable\". See `Retry-After`.",
            content_type = "application/json", body = Object),
    ),
    security(())
)]
pub(super) async fn create_token(
    auth: Data<Service>,
    request: HttpRequest,
    payload: Payload,
) -> HttpResponse {
    let answer = match grant(&auth, &request, payload).await {
        Ok(tokens) => HttpResponse::Ok().json(tokens),
        Err(refusal) => refusal.response(&request_id(&request)),
    };
    let mut answer = answer;
    answer
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    answer
        .headers_mut()
        .insert(PRAGMA, HeaderValue::from_static("no-cache"));
    answer
}

async fn grant(auth: &Service, request: &HttpRequest, payload: Payload) -> Result<Tokens, Refusal> {
    let media_type = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if !media_type
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .eq_ignore_ascii_case(FORM)
    {
        return Err(Refusal::request(format!("expected content-type: {FORM}")));
    }
    let body = read_body(request, payload.into_inner()).await?;
    let mut form = parse(&body)?;
    let grant_type = match form.take("grant_type") {
        // Clients of FastAPI leave it out, and a user name says what is meant.
        Err(_) if form.0.contains_key("username") => "password".to_owned(),
        given => given?,
    };
    match grant_type.as_str() {
        "password" => {
            let credentials = Credentials {
                login: form.take("username")?,
                password: Secret::new(form.take("password")?),
            };
            let scope = form.take("scope").ok();
            Ok(auth
                .login_narrowed(&credentials, scope.as_deref(), &device(request))
                .await?)
        }
        "refresh_token" => Ok(auth
            .refresh(&Secret::new(form.take("refresh_token")?), &device(request))
            .await?),
        _ => Err(Refusal::new(
            "unsupported_grant_type",
            "expected grant_type: password or refresh_token",
        )),
    }
}

/// The parameters of a form, each once and none empty.
struct Parameters(BTreeMap<String, String>);

impl Parameters {
    fn take(&mut self, name: &str) -> Result<String, Refusal> {
        self.0
            .remove(name)
            .ok_or_else(|| Refusal::request(format!("{name} is missing")))
    }
}

fn parse(body: &[u8]) -> Result<Parameters, Refusal> {
    let mut seen = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(body) {
        if seen.insert(name.into_owned(), value.into_owned()).is_some() {
            return Err(Refusal::request(
                "a parameter stands there twice".to_owned(),
            ));
        }
    }
    // RFC 6749, section 3.2: a parameter without a value counts as absent.
    seen.retain(|_, value| !value.is_empty());
    Ok(Parameters(seen))
}

/// The parameters of a form, where it reads well: for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn parameters(body: &[u8]) -> Option<BTreeMap<String, String>> {
    parse(body).ok().map(|form| form.0)
}

/// An error in the words of RFC 6749, with the members of our problems beside them.
struct Refusal {
    status: StatusCode,
    error: &'static str,
    code: Cow<'static, str>,
    detail: String,
    retry_after: Option<HeaderValue>,
}

impl Refusal {
    fn new(error: &'static str, detail: impl Into<String>) -> Self {
        let (status, code) = (StatusCode::BAD_REQUEST, error.into());
        Self {
            status,
            error,
            code,
            detail: detail.into(),
            retry_after: None,
        }
    }

    fn request(detail: String) -> Self {
        Self::new("invalid_request", detail)
    }

    fn response(self, request_id: &str) -> HttpResponse {
        let mut answer = HttpResponse::build(self.status);
        if let Some(time) = self.retry_after {
            answer.insert_header((RETRY_AFTER, time));
        }
        // RFC 6749 takes neither quotes nor anything outside ASCII in a description.
        let plain = |letter: &char| matches!(letter, ' '..='~') && !matches!(letter, '"' | '\\');
        let description: String = self.detail.chars().filter(plain).collect();
        answer.json(json!({
            "error": self.error,
            "error_description": description,
            "status": self.status.as_u16(),
            "code": self.code,
            "detail": self.detail,
            "request_id": request_id,
        }))
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let (word, code) = match &error {
            Error::InvalidCredentials => ("invalid_grant", "invalid_credentials"),
            Error::AccountDisabled => ("invalid_grant", "account_disabled"),
            // Without the token: this door knows the members of RFC 6749 only; /auth/login gives it.
            Error::PasswordChangeRequired { .. } => ("invalid_grant", "password_change_required"),
            Error::InvalidGrant => ("invalid_grant", "invalid_grant"),
            Error::InvalidScope => ("invalid_scope", "invalid_scope"),
            Error::PasswordGrantOff => ("unsupported_grant_type", "password_grant_off"),
            Error::Invalid { invalid, .. } => ("invalid_request", invalid.code),
            _ => return Problem::from(error).into(),
        };
        Self {
            code: code.into(),
            ..Self::new(word, error.to_string())
        }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let status = problem.status_code();
        let error = match status {
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS => {
                "temporarily_unavailable"
            }
            status if status.is_client_error() => "invalid_request",
            _ => "server_error",
        };
        let retry_after = problem.error_response().headers().get(RETRY_AFTER).cloned();
        let code = problem.code().into();
        Self {
            status,
            error,
            code,
            detail: problem.detail().to_owned(),
            retry_after,
        }
    }
}
