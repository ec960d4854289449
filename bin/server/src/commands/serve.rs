use std::net::SocketAddr;
use std::sync::Arc;

use cgcg_web::{Front, Proxies};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::assembly::Assembly;
use crate::cli::Role;
use crate::http::Site;
use crate::own::Own;
use crate::settings::Settings;
use crate::supervisor::Supervisor;
use crate::{Failure, greeting, http, log};

/// Serves until SIGTERM or SIGINT, then finishes what is under way.
pub(crate) async fn run(
    settings: Settings,
    warnings: Vec<String>,
    role: Role,
) -> Result<(), Failure> {
    log::start(&settings)?;
    let mut signals = StopSignals::new()?;
    for warning in warnings {
        tracing::warn!("{warning}");
    }
    #[cfg(feature = "metrics")]
    let metrics = crate::metrics::start()?;
    let assembly = Assembly::open(&settings).await?;
    #[cfg(feature = "auth")]
    if let Some(account) = assembly.built.auth.bootstrap().await? {
        tracing::info!(user.id = %account.id, "the settings made the first administrator");
    }
    let stop = CancellationToken::new();
    let workers = assembly
        .built
        .modules
        .iter()
        .flat_map(|module| module.workers())
        .collect();
    let supervisor = Supervisor::start(workers, role, &assembly.clock, &stop);

    #[cfg(feature = "metrics")]
    let open_metrics = settings
        .metrics
        .listen
        .map(|at| crate::metrics::listen(metrics.clone(), at))
        .transpose()?;
    #[cfg(feature = "metrics")]
    let open_metrics = open_metrics.map(|server| (server.handle(), actix_web::rt::spawn(server)));

    if role == Role::Worker {
        crate::console::say("working; stop with Ctrl-C");
        signals.recv().await;
        stop.cancel();
    } else {
        let site = Site {
            own: Arc::new(Own {
                modules: assembly.built.modules.clone(),
                db: assembly.db.clone(),
                document: assembly.document()?,
                stopping: stop.clone(),
            }),
            front: front(&assembly, &settings)?,
            #[cfg(feature = "metrics")]
            metrics,
        };
        let (server, address) = http::serve(site, &settings)?;
        let handle = server.handle();
        let serving = actix_web::rt::spawn(server);
        greeting::listening(address);
        let setup = setup_link(&assembly, address).await?;
        greeting::greet(&settings, address, setup.as_deref());
        signals.recv().await;
        tracing::info!(
            grace_s = settings.http.grace.get().as_secs(),
            "stopping: finishing what is under way"
        );
        stop.cancel();
        tokio::select! {
            () = handle.stop(true) => {}
            // Whoever asks twice does not want to wait.
            () = signals.recv() => handle.stop(false).await,
        }
        serving.await??;
    }
    #[cfg(feature = "metrics")]
    if let Some((handle, serving)) = open_metrics {
        handle.stop(false).await;
        serving.await??;
    }
    supervisor.end(settings.http.grace.get()).await;
    if let Some(db) = &assembly.db {
        db.close().await;
    }
    Ok(())
}

fn front(assembly: &Assembly, settings: &Settings) -> Result<Front, Failure> {
    let proxies = Proxies::parse(&settings.http.trusted_proxies)?;
    let (authenticator, clock) = (assembly.built.authenticator.clone(), assembly.clock.clone());
    Ok(Front::new(
        authenticator,
        clock,
        proxies,
        settings.limits.clone(),
    ))
}

/// The one-time link to make the first administrator, while there is none. Tells auth where links lead, too.
#[cfg(feature = "auth")]
async fn setup_link(assembly: &Assembly, address: SocketAddr) -> Result<Option<String>, Failure> {
    let auth = &assembly.built.auth;
    auth.listens_on(address);
    let token = auth.setup_token().await?;
    Ok(token.map(|token| auth.setup_link(&token).expose().clone()))
}

#[cfg(not(feature = "auth"))]
async fn setup_link(_: &Assembly, _: SocketAddr) -> Result<Option<String>, Failure> {
    Ok(None)
}

/// Caught from the start: whoever stops a program that just began to listen wants it to end in order too.
struct StopSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl StopSignals {
    fn new() -> Result<Self, Failure> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

    async fn recv(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
