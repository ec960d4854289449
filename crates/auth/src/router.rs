mod administration;
mod devices;
mod jwks;
mod login;
mod page;
mod problem;
mod sessions;
mod token;

use actix_web::HttpRequest;
use actix_web::http::header::USER_AGENT;
use actix_web::web::{Data, ServiceConfig, resource, scope};
use cgcg_core::{BoxFuture, Health, Migrations, ScopeInfo, TopicSpec, Worker};
use cgcg_web::{BodyLimit, Module, client_ip, request_id};
use utoipa::OpenApi;

use crate::{Device, MIGRATIONS, Service, TOPICS, scopes};
#[cfg(feature = "fuzzing")]
pub(crate) use token::parameters;


/// No request of this feature is longer; what is read before a password is checked should be short.
const BODY: BodyLimit = BodyLimit(16 * 1_024);

impl Module for Service {
    fn name(&self) -> &'static str {
        "auth"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/auth"]
    }

    fn migrations(&self) -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes(&self, cfg: &mut ServiceConfig) {
        let auth = scope("/auth")
            .app_data(Data::new(self.clone()))
            .app_data(BODY)
            .service(resource("/register").post(login::register_user))
            .service(resource("/login").post(login::create_session))
            .service(resource("/refresh").post(login::refresh_session))
            .service(resource("/token").post(token::create_token))
            .service(resource("/logout").post(sessions::end_session))
            .service(
                resource("/sessions")
                    .get(devices::list_sessions)
                    .delete(sessions::end_sessions),
            )
            .service(resource("/sessions/current").get(devices::get_current_session))
            .service(
                resource("/sessions/{id}")
                    .patch(devices::update_session)
                    .delete(devices::delete_session),
            )
            .service(
                resource("/users/{id}/sessions")
                    .get(administration::list_user_sessions)
                    .delete(administration::end_user_sessions),
            )
            .service(resource("/audit").get(administration::list_audit))
            .service(resource("/setup").post(login::setup_admin))
            .service(resource("/pages/setup").get(page::get_setup_page));
        cfg.service(auth);
    }

    fn root_routes(&self, cfg: &mut ServiceConfig) {
        let jwks = resource("/.well-known/jwks.json").app_data(Data::new(self.clone()));
        cfg.service(jwks.get(jwks::get_jwks));
    }

    fn openapi(&self) -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn scopes(&self) -> &'static [ScopeInfo] {
        scopes::ALL
    }

    fn topics(&self) -> &'static [TopicSpec] {
        TOPICS
    }

    fn workers(&self) -> Vec<Worker> {
        Self::workers(self)
    }

    fn check(&self) -> BoxFuture<'_, Health> {
        Box::pin(async {
            match self.jwks() {
                Ok(_) => Health::Good,
                Err(error) => Health::Failed(error.to_string()),
            }
        })
    }
}

#[derive(OpenApi)]
#[openapi(
    paths(
        login::register_user,
        login::create_session,
        login::refresh_session,
        login::setup_admin,
        token::create_token,
        sessions::end_session,
        sessions::end_sessions,
        devices::list_sessions,
        devices::get_current_session,
        devices::update_session,
        devices::delete_session,
        administration::list_user_sessions,
        administration::end_user_sessions,
        administration::list_audit,
        page::get_setup_page,
        jwks::get_jwks,
    ),
    tags((name = "auth", description = "Registration, login, sessions and tokens."))
)]
struct Document;

/// From where a request comes.
fn device(request: &HttpRequest) -> Device {
    let user_agent = request
        .headers()
        .get(USER_AGENT)
        .and_then(|value| value.to_str().ok());
    Device {
        ip: client_ip(request),
        user_agent: user_agent.map(str::to_owned),
        request_id: Some(request_id(request)),
    }
}
