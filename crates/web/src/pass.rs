use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, ALLOW, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage};
use tracing::Instrument;

use crate::request_id::{REQUEST_ID, RequestId};
use crate::unread::Kept;
use crate::{Front, Problem, RateLimit, client_ip, observe};

/// The one middleware: request id, rate limit, security headers, problems for whatever actix refuses, log and
/// metrics. `App::new().wrap(from_fn(pass))`.
///
/// # Errors
/// Those of another middleware further in. Routes fail with answers.
pub async fn pass(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let Some(front) = Front::of(request.request()).cloned() else {
        return next
            .call(request)
            .await
            .map(ServiceResponse::map_into_boxed_body);
    };
    // The same answer; actix leaves its body out by itself.
    let method = request.method().clone();
    if method == Method::HEAD {
        request.head_mut().method = Method::GET;
    }
    let chunked = request.headers().contains_key(header::TRANSFER_ENCODING);
    let body = chunked.then(|| Kept::of(&mut request));
    let started = front.clock().monotonic();
    let id = RequestId::of(request.request(), front.clock().now());
    request.extensions_mut().insert(id.clone());
    let address = front.limiter().zip(client_ip(request.request()));
    let allowance = address.map(|(limiter, address)| limiter.take(address));

    let mut response = match allowance {
        Some(Err(wait)) => throttled(wait, &id, request),
        _ => {
            // Whatever is logged on the way has the id.
            let span = tracing::error_span!("request", request.id = id.as_str());
            let response = next.call(request).instrument(span).await?;
            explained(response.map_into_boxed_body(), &id)
        }
    };
    let headers = response.headers_mut();
    headers.insert(REQUEST_ID, id.0.clone());
    secure(headers);
    if let Some(allowance) = allowance {
        tell(headers, front.settings().rate_limit, allowance);
    }
    observe::request(
        &method,
        &response,
        &id,
        front.clock().monotonic().saturating_sub(started),
    );
    Ok(match body {
        Some(body) => body.until_sent(response),
        None => response,
    })
}

/// Gives every failure a body with the id of the request.
fn explained(response: ServiceResponse<BoxBody>, id: &RequestId) -> ServiceResponse<BoxBody> {
    if response.status().as_u16() < 400 {
        return response;
    }
    let problem = response
        .response()
        .error()
        .and_then(|error| error.as_error::<Problem>());
    if let Some(problem) = problem {
        let body = problem.response(Some(id.as_str()));
        return response.into_response(body);
    }
    // What actix refuses by itself comes without a body, or with plain text.
    let kind = response
        .headers()
        .get(CONTENT_TYPE)
        .map(HeaderValue::as_bytes);
    if kind.is_some_and(|kind| !kind.starts_with(b"text/plain")) {
        return response;
    }
    let mut body = refused(response.status()).response(Some(id.as_str()));
    if let Some(allow) = response.headers().get(ALLOW) {
        body.headers_mut().insert(ALLOW, with_head(allow));
    }
    response.into_response(body)
}

/// Where `GET` works, `HEAD` does.
fn with_head(allow: &HeaderValue) -> HeaderValue {
    let text = allow.to_str().unwrap_or_default();
    let with = text.replace("GET", "GET, HEAD");
    HeaderValue::try_from(with).unwrap_or_else(|_| allow.clone())
}

fn refused(status: StatusCode) -> Problem {
    let (code, detail) = match status {
        StatusCode::NOT_FOUND => ("path_not_found", "no such path"),
        StatusCode::METHOD_NOT_ALLOWED => (
            "method_not_allowed",
            "this path has other methods; see Allow",
        ),
        StatusCode::PAYLOAD_TOO_LARGE => ("body_too_large", "the body is too large"),
        StatusCode::UNSUPPORTED_MEDIA_TYPE => {
            ("media_type_unsupported", "the media type is not supported")
        }
        status if status.is_client_error() => {
            ("request_invalid", "the request cannot be understood")
        }
        _ => ("internal", "internal error; the log has the request id"),
    };
    Problem::new(status, code, detail)
}

fn throttled(wait: Duration, id: &RequestId, request: ServiceRequest) -> ServiceResponse<BoxBody> {
    metrics::counter!("cgcg_http_throttled_total").increment(1);
    let status = StatusCode::TOO_MANY_REQUESTS;
    let problem =
        Problem::new(status, "throttled", "too many requests from this address").retry_after(wait);
    request.into_response(problem.response(Some(id.as_str())))
}

/// What a browser must not do with an answer. A route that needs more says so itself.
pub(crate) const SECURITY: [(HeaderName, HeaderValue); 6] = [
    (header::CACHE_CONTROL, HeaderValue::from_static("no-store")),
    (
        header::CONTENT_SECURITY_POLICY,
        HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'"),
    ),
    (
        header::CROSS_ORIGIN_RESOURCE_POLICY,
        HeaderValue::from_static("same-origin"),
    ),
    (
        header::REFERRER_POLICY,
        HeaderValue::from_static("no-referrer"),
    ),
    (
        header::X_CONTENT_TYPE_OPTIONS,
        HeaderValue::from_static("nosniff"),
    ),
    (header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
];

fn secure(headers: &mut HeaderMap) {
    for (name, value) in SECURITY {
        if !headers.contains_key(&name) {
            headers.insert(name, value);
        }
    }
}

const RATE_LIMIT_POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
const RATE_LIMIT: HeaderName = HeaderName::from_static("ratelimit");

/// Source: draft-ietf-httpapi-ratelimit-headers-10.
fn tell(headers: &mut HeaderMap, settings: RateLimit, left: Result<u32, Duration>) {
    let RateLimit { per_second, burst } = settings;
    let window = burst.div_ceil(per_second).max(1);
    let left = left.unwrap_or_default();
    let reset = (burst - left.min(burst)).div_ceil(per_second);
    let values = [
        (
            RATE_LIMIT_POLICY,
            format!("\"address\";q={burst};w={window}"),
        ),
        (RATE_LIMIT, format!("\"address\";r={left};t={reset}")),
    ];
    for (name, value) in values {
        if let Ok(value) = HeaderValue::try_from(value) {
            headers.insert(name, value);
        }
    }
}
