use actix_web::http::header::{CACHE_CONTROL, ETAG, IF_NONE_MATCH};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_web::Problem;

use crate::Service;
use crate::keyring::JWKS_MAX_AGE;

/// The keys that check access tokens (RFC 7517): the one that signs, the one that will, and those whose tokens are
/// still good. Keep them for an hour at most.
#[utoipa::path(
    get,
    path = "/.well-known/jwks.json",
    tag = "auth",
    responses(
        (status = 200, description = "The keys.", body = Object, headers(("etag" = String, description = "Changes with the keys."))),
        (status = 304, description = "As before."),
    ),
    security(())
)]
pub(super) async fn get_jwks(
    auth: Data<Service>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let body = auth.jwks()?.to_string();
    let hash = digest(&SHA256, body.as_bytes());
    let etag = format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash.as_ref()[..12]));
    let known = request
        .headers()
        .get_all(IF_NONE_MATCH)
        .filter_map(|value| value.to_str().ok());
    // Weak comparison, as RFC 9110 wants it here: a proxy that compresses marks tags as weak.
    let same = known
        .flat_map(|value| value.split(','))
        .any(|tag| tag.trim().trim_start_matches("W/") == etag);
    let cache = format!("public, max-age={}", JWKS_MAX_AGE.as_secs());
    let mut answer = if same {
        HttpResponse::NotModified()
    } else {
        HttpResponse::Ok()
    };
    answer
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((ETAG, etag));
    if same {
        return Ok(answer.finish());
    }
    Ok(answer.content_type("application/json").body(body))
}
