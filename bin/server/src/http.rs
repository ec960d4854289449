//! The HTTP server.

use std::future::ready;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_http::HttpService;
use actix_service::{IntoServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::{AppConfig, Server};
use actix_web::middleware::from_fn;
use actix_web::rt::net::TcpStream;
use actix_web::web::{ServiceConfig, scope, to};
use actix_web::{App, Error};
use cgcg_web::{Connection, Front, pass};

use crate::Failure;
use crate::listener::listen;
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
pub(crate) fn serve(site: Site, settings: &Settings) -> Result<(Server, SocketAddr), Failure> {
    let http = &settings.http;
    let threads = match http.threads {
        0 => std::thread::available_parallelism().map_or(1, Into::into),
        threads => threads,
    };
    let listener = listen(http.listen).map_err(|failure| {
        format!(
            "{}: {failure}; choose another address with --listen",
            http.listen
        )
    })?;
    let address = listener.local_addr()?;
    let (header_wait, keep_alive) = (http.header_wait.get(), http.keep_alive.get());
    let builder = Server::build()
        .workers(threads)
        .max_concurrent_connections(http.connections.div_ceil(threads))
        .shutdown_timeout(http.grace.get().as_secs())
        .disable_signals();
    let stop = builder.graceful_shutdown_signal();
    // As `actix_web::HttpServer` does, but over a connection of our own.
    let connections = move || {
        let (site, front, stop) = (site.clone(), site.front.clone(), stop.clone());
        let app = App::new()
            .configure(|cfg| site.mount(cfg))
            .wrap(from_fn(pass))
            // On the application: a scope does not hand its default down to the scopes inside.
            .default_service(to(own::missing));
        let app = map_config(app.into_factory(), |()| AppConfig::default());
        let app = app.map_err(|error: Error| error.error_response());
        let http = HttpService::build()
            .graceful_shutdown_signal(move || {
                let stop = stop.clone();
                async move { stop.notified().await }
            })
            .keep_alive(keep_alive)
            .client_request_timeout(header_wait)
            .client_disconnect_timeout(Duration::from_secs(1))
            // Who closes a connection waits for nothing: what was asked there ends, a waiting lease above all.
            .h1_allow_half_closed(false)
            .local_addr(address)
            .h1(app);
        fn_service(move |io: TcpStream| {
            let peer = io.peer_addr().ok();
            ready(Ok((Connection::new(io, front.clone()), peer)))
        })
        .and_then(http)
    };
    let server = builder.listen("http", listener, connections)?;
    Ok((server.run(), address))
}
