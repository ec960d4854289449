use actix_web::HttpResponse;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY};
use aws_lc_rs::rand;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cgcg_core::KeyError;
use cgcg_web::Problem;

/// What all pages share. Each is sent whole: it must work without any network but this server.
const LAYOUT: &str = include_str!("page/layout.html");

/// What is a page's own. None of it holds anything of a request.
struct Page {
    title: &'static str,
    main: &'static str,
    script: &'static str,
}

const SETUP: Page = Page {
    title: "First administrator",
    main: include_str!("page/setup.html"),
    script: include_str!("page/setup.js"),
};
const VERIFY: Page = Page {
    title: "Confirm your e-mail address",
    main: include_str!("page/verify.html"),
    script: include_str!("page/verify.js"),
};
const RESET: Page = Page {
    title: "Set a new password",
    main: include_str!("page/reset.html"),
    script: include_str!("page/reset.js"),
};

/// The page behind the set-up link. The token stands behind the `#` of the link, so it never gets here.
#[utoipa::path(
    get,
    path = "/api/v1/auth/pages/setup",
    tag = "auth",
    responses((status = 200, content_type = "text/html", body = String)),
    security(())
)]
pub(super) async fn get_setup_page() -> Result<HttpResponse, Problem> {
    page(&SETUP)
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
    page(&VERIFY)
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
    page(&RESET)
}

fn page(page: &Page) -> Result<HttpResponse, Problem> {
    let nonce = nonce()?;
    let text = LAYOUT
        .replace("{title}", page.title)
        .replace("{main}", page.main)
        .replace("{script}", page.script)
        .replace("{nonce}", &nonce);
    Ok(styled(&nonce, text))
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
