use std::sync::Arc;

use actix_web::HttpRequest;
use actix_web::web::{Data, ServiceConfig};
use cgcg_core::{Authenticator, Clock, Principal};

use crate::limiter::Limiter;
use crate::{FrontSettings, Proxies};

/// What stands before every route: who may check credentials, what time it is, how much is allowed.
///
/// Give it to the application with [`Front::configure`], and wrap the application in [`crate::pass`].
#[derive(Clone)]
pub struct Front(Arc<Inner>);

struct Inner {
    authenticator: Option<Arc<dyn Authenticator>>,
    clock: Arc<dyn Clock>,
    proxies: Proxies,
    settings: FrontSettings,
    limiter: Option<Limiter>,
    bad_tokens: Option<Limiter>,
    nobody: cgcg_core::NoAuthenticator,
}

impl Front {
    /// Without an authenticator, routes that need a caller answer 503 `auth_unavailable`.
    pub fn new(
        authenticator: Option<Arc<dyn Authenticator>>,
        clock: Arc<dyn Clock>,
        proxies: Proxies,
        settings: FrontSettings,
    ) -> Self {
        let limiter = Limiter::of_requests(settings.rate_limit, clock.clone());
        let bad_tokens = Limiter::per_minute(settings.bad_tokens, clock.clone());
        let nobody = cgcg_core::NoAuthenticator;
        Self(Arc::new(Inner {
            authenticator,
            clock,
            proxies,
            settings,
            limiter,
            bad_tokens,
            nobody,
        }))
    }

    /// Puts it where the extractors find it.
    pub fn configure(&self, cfg: &mut ServiceConfig) {
        cfg.app_data(Data::new(self.clone()));
    }

    /// Whether a caller still stands; reads the rows. Long streams ask each 30 s.
    pub async fn still_valid(&self, caller: &Principal) -> bool {
        self.authenticator().still_valid(caller).await
    }

    pub(crate) fn of(request: &HttpRequest) -> Option<&Self> {
        request.app_data::<Data<Self>>().map(|data| &***data)
    }

    pub(crate) fn authenticator(&self) -> &dyn Authenticator {
        self.0.authenticator.as_deref().unwrap_or(&self.0.nobody)
    }

    /// Whether nothing can check credentials.
    pub(crate) fn closed(&self) -> bool {
        self.0.authenticator.is_none()
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        &*self.0.clock
    }

    pub(crate) fn proxies(&self) -> &Proxies {
        &self.0.proxies
    }

    pub(crate) fn settings(&self) -> &FrontSettings {
        &self.0.settings
    }

    pub(crate) fn bad_tokens(&self) -> Option<&Limiter> {
        self.0.bad_tokens.as_ref()
    }

    pub(crate) fn limiter(&self) -> Option<&Limiter> {
        self.0.limiter.as_ref()
    }
}
