use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::KeyError;
use cgcg_web::Problem;

/// Each all in one file: it must work without any network but this server.
const SETUP: &str = include_str!("setup.html");
const VERIFY: &str = include_str!("verify.html");
const RESET: &str = include_str!("reset.html");

/// The page behind the set-up link. The token stands behind the `#` of the link, so it never gets here.
#[utoipa::path(
    get,
    path = "/api/v1/auth/pages/setup",
    tag = "auth",
    responses((status = 200, content_type = "text/html", body = String)),
    security(())
)]
pub(super) async fn get_setup_page() -> Result<HttpResponse, Problem> {
    page(SETUP)
}

/// The page behind a link to prove an address. It does nothing before its button is pressed: programs that look for bad
/// links open them too.
#[utoipa::path(
    get,
    path = "/api/v1/auth/pages/verify",
    tag = "auth",
    responses((status = 200, content_type = "text/html", body = String)),
    security(())
)]
pub(super) async fn get_verify_page() -> Result<HttpResponse, Problem> {
    page(VERIFY)
}

/// The page behind a link to set a new password.
#[utoipa::path(
    get,
    path = "/api/v1/auth/pages/reset",
    tag = "auth",
    responses((status = 200, content_type = "text/html", body = String)),
    security(())
)]
pub(super) async fn get_reset_page() -> Result<HttpResponse, Problem> {
    page(RESET)
}

fn page(text: &str) -> Result<HttpResponse, Problem> {
    let nonce = nonce()?;
    Ok(styled(&nonce, text.replace("{nonce}", &nonce)))
}

/// Marks what belongs to one answer of ours.
pub(super) fn nonce() -> Result<String, Problem> {
    let mut bytes = [0; 16];
    rand::fill(&mut bytes).map_err(|_| Problem::internal(KeyError::Chance))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// A page that runs what bears the nonce, talks to this server, and does nothing else.
pub(super) fn styled(nonce: &str, text: String) -> HttpResponse {
    let policy = format!(
        "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
         form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    );
    HttpResponse::Ok()
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header((CONTENT_SECURITY_POLICY, policy))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        .content_type("text/html; charset=utf-8")
        .body(text)
}
