//! What the server itself answers, beside its features: health, metrics, the OpenAPI document.

use std::sync::Arc;
use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::{Db, Health};
use cgcg_web::{MaybeCaller, Problem};
use serde::Serialize;
use tokio_util::sync::CancellationToken;
use utoipa::openapi::OpenApi;
use utoipa::{OpenApi as _, ToSchema};

use crate::features;
use crate::modules::Modules;

cgcg_core::scopes! {
    /// Read metrics and the causes of bad health.
    ServerRead = "server:read";
}

/// Longest that one check may take.
const PATIENCE: Duration = Duration::from_secs(3);

/// What the handlers here need.
pub(crate) struct Own {
    pub(crate) modules: Modules,
    pub(crate) db: Option<Db>,
    pub(crate) document: String,
    /// Cancelled when the server was told to stop: no new work should come here.
    pub(crate) stopping: CancellationToken,
}

/// Mounts health and the document.
pub(crate) fn routes(own: &Arc<Own>, cfg: &mut ServiceConfig) {
    cfg.app_data(Data::from(own.clone()))
        .service(resource("/health/live").get(get_liveness))
        .service(resource("/health/ready").get(get_readiness))
        .service(resource("/openapi.json").get(get_openapi));
}

/// The operations of this file.
pub(crate) fn openapi() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(get_liveness, get_readiness))]
    struct Document;

    let mut document = Document::openapi();
    document.info.title = "CGCG".into();
    document.info.description = Some("A modular HTTP API backend.".into());
    document.info.version = env!("CARGO_PKG_VERSION").into();
    document.info.license = None;
    document.info.contact = None;
    #[cfg(feature = "metrics")]
    document.merge(crate::metrics::openapi());
    document
}

#[derive(Serialize, ToSchema)]
struct Liveness {
    /// Always `ok`: whoever does not live does not answer.
    status: &'static str,
}

/// Whether all parts work.
#[derive(Serialize, ToSchema)]
struct Readiness {
    /// `ok`; or `degraded`, where everything answers but something is switched off or slow.
    status: &'static str,
    /// A part and its trouble each; only for callers with the scope `server:read`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    causes: Vec<String>,
}

/// Whether the process lives. Touches nothing.
#[utoipa::path(get, path = "/health/live", tag = "server", security(()), responses((status = 200, body = Liveness)))]
async fn get_liveness() -> HttpResponse {
    HttpResponse::Ok().json(Liveness { status: "ok" })
}

/// Whether requests should be sent here: asks the database and every feature.
#[utoipa::path(
    get, path = "/health/ready", tag = "server", security((), ("oauth2" = [])),
    responses((status = 200, body = Readiness), (status = 503, description = "`not_ready`, `shutting_down`"))
)]
async fn get_readiness(
    own: Data<Own>,
    MaybeCaller(caller): MaybeCaller,
) -> Result<HttpResponse, Problem> {
    let status = StatusCode::SERVICE_UNAVAILABLE;
    if own.stopping.is_cancelled() {
        return Err(
            Problem::new(status, "shutting_down", "the server was told to stop")
                .retry_after(PATIENCE),
        );
    }
    let (mut failed, mut degraded) = (Vec::new(), Vec::new());
    for (name, health) in own.health().await {
        match health {
            Health::Good => {}
            Health::Degraded(cause) => degraded.push(format!("{name}: {cause}")),
            Health::Failed(cause) => failed.push(format!("{name}: {cause}")),
        }
    }
    let seen = caller.is_some_and(|caller| caller.grants.allow("server:read"));
    if !failed.is_empty() {
        tracing::warn!(causes = ?failed, "not ready");
        let problem = Problem::new(status, "not_ready", "a part that is needed does not work")
            .retry_after(PATIENCE);
        return Err(if seen {
            problem.with("causes", failed.into())
        } else {
            problem
        });
    }
    let status = if degraded.is_empty() {
        "ok"
    } else {
        "degraded"
    };
    let causes = if seen { degraded } else { Vec::new() };
    Ok(HttpResponse::Ok().json(Readiness { status, causes }))
}

impl Own {
    async fn health(&self) -> Vec<(&'static str, Health)> {
        let mut all = Vec::new();
        if let Some(db) = &self.db {
            let ping = tokio::time::timeout(PATIENCE, db.ping()).await;
            all.push((
                "database",
                match ping {
                    Ok(Ok(())) => Health::Good,
                    Ok(Err(failure)) => Health::Failed(failure.to_string()),
                    Err(_) => Health::Failed("no answer in 3 s".to_owned()),
                },
            ));
        }
        for module in self.modules.iter() {
            let health = tokio::time::timeout(PATIENCE, module.check()).await;
            all.push((
                module.name(),
                health.unwrap_or_else(|_| Health::Failed("no answer in 3 s".to_owned())),
            ));
        }
        all
    }
}

async fn get_openapi(own: Data<Own>) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("application/json")
        .body(own.document.clone())
}

/// Tells "no such path" from "this build does not have it".
pub(crate) async fn missing(request: HttpRequest) -> Result<HttpResponse, Problem> {
    let Some(feature) = features::missing(request.path()) else {
        return Err(Problem::not_found("path_not_found", "no such path"));
    };
    let detail = format!("this build lacks the Cargo feature `{feature}`");
    Err(Problem::not_found("feature_not_compiled", detail).with("feature", feature.into()))
}
