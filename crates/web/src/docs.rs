use std::sync::Arc;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, LOCATION};
use actix_web::web::{Data, ServiceConfig, get, resource};
use actix_web::{HttpRequest, HttpResponse};
use utoipa_swagger_ui::Config;

use crate::Problem;

/// Everything from this host, nothing from elsewhere. Swagger UI writes style attributes and draws icons as `data:`.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                      font-src 'self'; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'";

/// Mounts Swagger UI at `/docs`, on the document at `/openapi.json`. Its assets are in the binary.
pub fn docs(cfg: &mut ServiceConfig) {
    let config = Config::from("/openapi.json")
        // The document of a server that others cannot reach is shown to nobody else.
        .validator_url("none")
        .persist_authorization(false)
        .display_request_duration(true);
    cfg.app_data(Data::new(Arc::new(config)))
        .service(resource("/docs").route(get().to(to_folder)))
        .service(resource("/docs/{file:.*}").route(get().to(asset)));
}

/// The page names its parts relative to itself.
async fn to_folder() -> HttpResponse {
    HttpResponse::PermanentRedirect()
        .insert_header((LOCATION, "/docs/"))
        .finish()
}

async fn asset(
    request: HttpRequest,
    config: Data<Arc<Config<'static>>>,
) -> Result<HttpResponse, Problem> {
    let file = request.match_info().query("file");
    let found = utoipa_swagger_ui::serve(file, config.get_ref().clone())
        .ok()
        .flatten();
    let found = found.ok_or_else(|| Problem::not_found("path_not_found", "no such path"))?;
    Ok(HttpResponse::Ok()
        .content_type(found.content_type)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((CACHE_CONTROL, "public, max-age=3600"))
        .body(found.bytes.into_owned()))
}
