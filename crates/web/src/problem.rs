//! The one shape of an error on the wire: RFC 9457.

mod body;
mod denied;

use std::error::Error;
use std::fmt;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue, RETRY_AFTER};
use actix_web::{HttpResponse, ResponseError};
use cgcg_core::{Invalid, Trouble};
use serde_json::Value;

pub use body::{FieldError, ProblemBody};

/// A failure as a client may see it: `application/problem+json` of RFC 9457.
pub struct Problem(Box<Inner>);

struct Inner {
    status: StatusCode,
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    members: Vec<(&'static str, Value)>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Problem {
    /// `code` is part of the API and never changes; `detail` is a sentence for people.
    pub fn new(status: StatusCode, code: &'static str, detail: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            status,
            code,
            detail: detail.into(),
            errors: Vec::new(),
            members: Vec::new(),
            headers: Vec::new(),
        }))
    }

    /// 404: there is no such thing, or it is not the caller's.
    pub fn not_found(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// 409: the state of things is against it.
    pub fn conflict(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, detail)
    }

    /// 403: known, but not allowed.
    pub fn forbidden(code: &'static str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, code, detail)
    }

    /// 422 `validation_failed` for one field of the body.
    pub fn invalid(field: &str, invalid: &Invalid) -> Self {
        Self::invalid_in("body", field, invalid)
    }

    /// 422 for one field of the `path`, the `query` or the `body`.
    pub fn invalid_in(part: &str, field: &str, invalid: &Invalid) -> Self {
        Self::wrong_field(FieldError {
            loc: vec![part.into(), field.into()],
            code: invalid.code.to_owned(),
            detail: invalid.detail.clone(),
        })
    }

    /// 422 for one field of whatever part of the request.
    pub(crate) fn wrong_field(error: FieldError) -> Self {
        // A broken cursor is the one wrong field with a code of its own: clients start over instead of mending it.
        let code = if error.code == "cursor_invalid" {
            "cursor_invalid"
        } else {
            "validation_failed"
        };
        let detail = format!("{}: {}", error.place(), error.detail);
        let mut problem = Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, detail);
        problem.0.errors.push(error);
        problem
    }

    /// A failure that is ours. The log gets all of it, the client nothing.
    pub fn internal(error: impl Error + 'static) -> Self {
        tracing::error!(error = &error as &dyn Error, "request failed");
        Self::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            "internal",
            "internal error; the log has the request id",
        )
    }

    /// A failure of the database: 503 where trying again helps, now or later; else as [`Problem::internal`].
    pub fn database(error: sqlx::Error) -> Self {
        let status = StatusCode::SERVICE_UNAVAILABLE;
        match Trouble::of(&error) {
            Trouble::Busy => {
                tracing::warn!(error = &error as &dyn Error, "the database is busy");
                Self::new(status, "storage_busy", "the database is busy; try again")
                    .retry_after(Duration::from_secs(1))
            }
            Trouble::Full => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "no space left for the database: free or add some"
                );
                Self::new(status, "storage_full", "no space left to write")
                    .retry_after(Duration::from_secs(60))
            }
            Trouble::Gone => {
                tracing::error!(
                    error = &error as &dyn Error,
                    "the connection to the database broke: see whether it runs"
                );
                let detail =
                    "the database went away; what was asked for may be done: look, then try again";
                Self::new(status, "storage_gone", detail).retry_after(Duration::from_secs(1))
            }
            Trouble::Other => Self::internal(error),
        }
    }

    /// Tells the client when to come again, in whole seconds, at least one.
    #[must_use]
    pub fn retry_after(self, time: Duration) -> Self {
        let seconds = time.as_secs_f64().ceil().max(1.0);
        match HeaderValue::from_str(&seconds.to_string()) {
            Ok(value) => self.header(RETRY_AFTER, value),
            Err(_) => self,
        }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers.push((name, value));
        self
    }

    /// Adds a member beside the standard ones.
    #[must_use]
    pub fn with(mut self, name: &'static str, value: Value) -> Self {
        self.0.members.push((name, value));
        self
    }

    /// Its stable code.
    pub fn code(&self) -> &'static str {
        self.0.code
    }

    /// The sentence for people.
    pub fn detail(&self) -> &str {
        &self.0.detail
    }

    /// What follows from it, with the id of the request where it is known.
    pub(crate) fn response(&self, request_id: Option<&str>) -> HttpResponse {
        let inner = &self.0;
        let mut response = HttpResponse::build(inner.status);
        for (name, value) in &inner.headers {
            response.append_header((name.clone(), value.clone()));
        }
        response
            .content_type("application/problem+json")
            .json(self.body(request_id))
    }

    /// Its body, as bytes.
    pub(crate) fn json(&self, request_id: &str) -> Vec<u8> {
        serde_json::to_vec(&self.body(Some(request_id))).unwrap_or_default()
    }

    fn body<'a>(&'a self, request_id: Option<&'a str>) -> ProblemBody<'a> {
        let inner = &self.0;
        ProblemBody {
            kind: "about:blank",
            title: inner.status.canonical_reason().unwrap_or_default(),
            status: inner.status.as_u16(),
            detail: &inner.detail,
            code: inner.code,
            request_id,
            errors: &inner.errors,
            members: inner
                .members
                .iter()
                .map(|(name, value)| (*name, value))
                .collect(),
        }
    }
}

impl fmt::Debug for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.0.status, self.0.code)
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.code, self.0.detail)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        self.0.status
    }

    fn error_response(&self) -> HttpResponse {
        self.response(None)
    }
}
