//! Prometheus metrics.

use std::net::SocketAddr;
use std::time::Duration;

use actix_web::web::{Data, ServiceConfig, resource};
use actix_web::{App, HttpResponse, HttpServer};
use cgcg_web::RequireScope;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use utoipa::OpenApi as _;
use utoipa::openapi::OpenApi;

use crate::Failure;
use crate::own::ServerRead;

/// Upper bounds in seconds: a cached answer, a database, a password.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0,
];

/// Upper bounds of what is no answer: the work of a task, and how long it waited.
const LONG_BUCKETS: [f64; 12] = [
    0.001, 0.01, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0, 21_600.0,
];

/// How many at once.
const SIZES: [f64; 11] = [
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0,
];

/// Collects from now on, for the whole process.
pub(crate) fn start() -> Result<PrometheusHandle, Failure> {
    let builder = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_seconds".into()), &BUCKETS)?
        .set_buckets_for_metric(
            Matcher::Full("cgcg_tasks_run_seconds".into()),
            &LONG_BUCKETS,
        )?
        .set_buckets_for_metric(
            Matcher::Full("cgcg_tasks_start_delay_seconds".into()),
            &LONG_BUCKETS,
        )?
        .set_buckets_for_metric(Matcher::Suffix("_size".into()), &SIZES)?;
    let handle = builder.install_recorder()?;
    metrics::gauge!("cgcg_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let upkeep = handle.clone();
    actix_web::rt::spawn(async move {
        let mut tick = tokio::time::interval(Duration::from_secs(5));
        loop {
            tick.tick().await;
            upkeep.run_upkeep();
        }
    });
    Ok(handle)
}

/// Mounts `/metrics` for callers with the scope `server:read`.
pub(crate) fn routes(handle: &PrometheusHandle, cfg: &mut ServiceConfig) {
    cfg.app_data(Data::new(handle.clone()))
        .service(resource("/metrics").get(get_metrics));
}

/// The operation of this file.
pub(crate) fn openapi() -> OpenApi {
    #[derive(utoipa::OpenApi)]
    #[openapi(paths(get_metrics))]
    struct Document;

    Document::openapi()
}

/// Metrics in the text format of Prometheus.
#[utoipa::path(
    get, path = "/metrics", tag = "server", security(("oauth2" = ["server:read"])),
    responses((status = 200, body = String, content_type = "text/plain"))
)]
async fn get_metrics(_: RequireScope<ServerRead>, handle: Data<PrometheusHandle>) -> HttpResponse {
    render(&handle)
}

/// Serves `/metrics` to anybody on an address of its own.
pub(crate) fn listen(
    handle: PrometheusHandle,
    address: SocketAddr,
) -> Result<actix_web::dev::Server, Failure> {
    let app = move || {
        let handle = Data::new(handle.clone());
        App::new()
            .app_data(handle)
            .service(resource("/metrics").get(async |handle: Data<_>| render(&handle)))
    };
    let server = HttpServer::new(app)
        .workers(1)
        .disable_signals()
        .bind(address);
    Ok(server
        .map_err(|failure| format!("metrics.listen {address}: {failure}"))?
        .run())
}

fn render(handle: &PrometheusHandle) -> HttpResponse {
    HttpResponse::Ok()
        .content_type("text/plain; version=0.0.4; charset=utf-8")
        .body(handle.render())
}
