use actix_web::web::ServiceConfig;
use cgcg_core::{BoxFuture, Health, Migrations, ScopeInfo, TopicSpec, Worker};
use utoipa::openapi::{Info, OpenApi, Paths};

/// What a feature gives to the server that hosts it.
///
/// All of it is a plain item of the feature's crate as well, so a host without actix loses nothing. Only the name is
/// required: a new method gets a default, and no feature has to change.
pub trait Module: Send + Sync + 'static {
    /// The feature's name in settings, metrics and Cargo features: `users`.
    fn name(&self) -> &'static str;

    /// The first segments below `/api/v1` that are its own: `/users`. A test holds them to the server's table.
    fn prefixes(&self) -> &'static [&'static str] {
        &[]
    }

    /// The tables it needs.
    fn migrations(&self) -> Option<&'static Migrations> {
        None
    }

    /// Mounts its routes, its own state included, below `/api/v1`.
    fn routes(&self, cfg: &mut ServiceConfig) {
        let _ = cfg;
    }

    /// Mounts what must stand at the root: `/.well-known/…`.
    fn root_routes(&self, cfg: &mut ServiceConfig) {
        let _ = cfg;
    }

    /// Its operations, with full paths.
    fn openapi(&self) -> OpenApi {
        OpenApi::new(Info::new("", ""), Paths::new())
    }

    /// The rights that its routes ask for.
    fn scopes(&self) -> &'static [ScopeInfo] {
        &[]
    }

    /// The topics that it publishes.
    fn topics(&self) -> &'static [TopicSpec] {
        &[]
    }

    /// Its background work, for the host to start and to supervise.
    fn workers(&self) -> Vec<Worker> {
        Vec::new()
    }

    /// Whether it can work now, for `/health/ready`.
    fn check(&self) -> BoxFuture<'_, Health> {
        Box::pin(async { Health::Good })
    }
}
