use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpMessage;
use actix_web::dev::ServiceResponse;
use actix_web::http::{Method, StatusCode};
use cgcg_core::Principal;

use crate::request_id::RequestId;

/// One line and one measurement per request. The route is a pattern, so no id or secret of a path gets in; the query
/// is never looked at.
pub(crate) fn request<B>(
    method: &Method,
    response: &ServiceResponse<B>,
    id: &RequestId,
    took: Duration,
) {
    let request = response.request();
    let route = request.match_pattern().unwrap_or_else(|| "none".to_owned());
    let status = response.status().as_u16();
    let extensions = request.extensions();
    let principal = extensions
        .get::<Arc<Principal>>()
        .map(|principal| principal.subject);
    tracing::info!(
        http.method = method.as_str(),
        http.route = route,
        http.status = status,
        duration_ms = took.as_secs_f64() * 1_000.0,
        request.id = id.as_str(),
        principal.id = principal.map(tracing::field::display),
        "request"
    );
    metrics::histogram!(
        "cgcg_http_request_seconds",
        "method" => label(method.as_str()),
        "route" => route,
        "status" => status.to_string(),
    )
    .record(took);
}

/// The same for what was refused before it was a request.
pub(crate) fn refused(status: StatusCode, id: &RequestId) {
    let status = status.as_u16();
    tracing::info!(http.status = status, request.id = id.as_str(), "no request");
    let status = status.to_string();
    metrics::counter!("cgcg_http_refused_heads_total", "status" => status).increment(1);
}

/// Methods are open-ended, and each new label costs memory.
fn label(name: &str) -> &'static str {
    const KNOWN: [&str; 7] = ["GET", "POST", "PATCH", "PUT", "DELETE", "HEAD", "OPTIONS"];
    KNOWN
        .iter()
        .find(|known| **known == name)
        .copied()
        .unwrap_or("other")
}
