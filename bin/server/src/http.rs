//! The HTTP server.

use std::sync::Arc;

use actix_web::dev::Server;
use actix_web::middleware::from_fn;
use actix_web::web::{ServiceConfig, scope, to};
use actix_web::{App, HttpServer};
use cgcg_web::{Front, pass};

use crate::Failure;
use crate::own::{self, Own};
use crate::settings::Settings;

/// What every thread mounts.
#[derive(Clone)]
pub(crate) struct Site {
    pub(crate) own: Arc<Own>,
    pub(crate) front: Front,
    #[cfg(feature = "metrics")]
    pub(crate) metrics: metrics_exporter_prometheus::PrometheusHandle,
}

impl Site {
    fn mount(&self, cfg: &mut ServiceConfig) {
        self.front.configure(cfg);
        own::routes(&self.own, cfg);
        #[cfg(feature = "metrics")]
        crate::metrics::routes(&self.metrics, cfg);
        #[cfg(feature = "docs")]
        cgcg_web::docs(cfg);
        let modules = &self.own.modules;
        modules.iter().for_each(|module| module.root_routes(cfg));
        cfg.service(
            scope("/api/v1").configure(|cfg| modules.iter().for_each(|module| module.routes(cfg))),
        );
    }
}

/// Binds the address of the settings and starts to serve. Answers the server and where it listens.
pub(crate) fn serve(
    site: Site,
    settings: &Settings,
) -> Result<(Server, Vec<std::net::SocketAddr>), Failure> {
    let http = &settings.http;
    let threads = match http.threads {
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        threads => threads,
    };
    let server = HttpServer::new(move || {
        let site = site.clone();
        App::new()
            .configure(|cfg| site.mount(cfg))
            .wrap(from_fn(pass))
            // On the application: a scope does not hand its default down to the scopes inside.
            .default_service(to(own::missing))
    })
    .workers(threads)
    .max_connections(http.connections.div_ceil(threads))
    .client_request_timeout(http.header_wait.get())
    .keep_alive(http.keep_alive.get())
    .shutdown_timeout(http.grace.get().as_secs())
    .disable_signals()
    .bind(http.listen)
    .map_err(|failure| {
        format!(
            "{}: {failure}; choose another address with --listen",
            http.listen
        )
    })?;
    let addresses = server.addrs();
    Ok((server.run(), addresses))
}
