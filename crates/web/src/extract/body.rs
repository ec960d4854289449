use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use actix_web::web::{Bytes, Payload};
use actix_web::{FromRequest, HttpRequest, dev};

use crate::{Front, Problem};

/// Largest body below a scope, in bytes, where a feature wants less than the server allows: give it as `app_data`.
#[derive(Debug, Clone, Copy)]
pub struct BodyLimit(pub usize);

/// The whole body of a request, within its limit and time.
///
/// # Errors
/// 415 `content_encoding_unsupported` for a compressed body, 413 `body_too_large`, 408 `request_timeout`, 400 `body_invalid`
/// where the connection breaks.
pub async fn read_body(request: &HttpRequest, payload: dev::Payload) -> Result<Bytes, Problem> {
    let mut codings = request.headers().get_all(CONTENT_ENCODING);
    if codings.any(|coding| !coding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Problem::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "content_encoding_unsupported",
            "expected a body without content-encoding",
        ));
    }
    let front = Front::of(request);
    let own = request
        .app_data::<BodyLimit>()
        .map_or(usize::MAX, |limit| limit.0);
    let limit = own.min(front.map_or(1 << 20, |front| front.settings().body.bytes()));
    let announced = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok()?.parse().ok());
    if announced.is_some_and(|length: usize| length > limit) {
        return Err(too_large(limit));
    }
    let payload = Payload::from_request(request, &mut { payload })
        .await
        .map_err(broken)?;
    let read = payload.to_bytes_limited(limit);
    let wait = front.map_or(std::time::Duration::from_secs(30), |front| {
        front.settings().body_wait.get()
    });
    match tokio::time::timeout(wait, read).await {
        Ok(Ok(bytes)) => bytes.map_err(broken),
        Ok(Err(_)) => Err(too_large(limit)),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "request_timeout",
            "the body took too long",
        )),
    }
}

/// The media type of the body, without parameters, in lower case.
pub(super) fn media_type(request: &HttpRequest) -> String {
    let value = request
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok());
    let essence = value
        .unwrap_or_default()
        .split(';')
        .next()
        .unwrap_or_default();
    essence.trim().to_ascii_lowercase()
}

pub(super) fn unsupported(expected: &str) -> Problem {
    let detail = format!("expected content-type: {expected}");
    Problem::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "media_type_unsupported",
        detail,
    )
}

pub(super) fn unreadable(detail: impl Into<String>) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, "body_invalid", detail)
}

fn too_large(limit: usize) -> Problem {
    let detail = format!("a body has at most {limit} bytes here");
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", detail)
}

fn broken(_: actix_web::Error) -> Problem {
    unreadable("the body ended early")
}
