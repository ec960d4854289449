mod administration;
mod api_keys;
mod dev_mail;
mod devices;
mod grants;
mod jwks;
mod login;
mod mail;
mod page;
mod password;
mod problem;
mod roles;
mod service_keys;
mod services;
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
            .service(resource("/password/change").post(password::change_password))
            .service(resource("/reauthenticate").post(password::reauthenticate))
            .service(resource("/setup").post(login::setup_admin))
            .service(resource("/email/verify").post(mail::verify_email))
            .service(resource("/email/resend").post(mail::resend_verification))
            .service(resource("/email/change").post(mail::change_email))
            .service(resource("/password/forgot").post(mail::forgot_password))
            .service(resource("/password/reset").post(mail::reset_password))
            .service(resource("/users/{id}/password-link").post(mail::send_password_link))
            .service(resource("/dev/mail").get(dev_mail::list_dev_mail))
            .service(resource("/dev/mail/{id}").get(dev_mail::get_dev_mail))
            .service(resource("/pages/verify").get(page::get_verify_page))
            .service(resource("/pages/reset").get(page::get_reset_page))
            .service(resource("/pages/setup").get(page::get_setup_page))
            .configure(rights);
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

/// Who may do what: roles, keys and the accounts of machines.
fn rights(cfg: &mut ServiceConfig) {
    let (roles, role) = (resource("/roles"), resource("/roles/{id}"));
    let (keys, key) = (resource("/api-keys"), resource("/api-keys/{id}"));
    cfg.service(resource("/scopes").get(roles::list_scopes))
        .service(roles.get(roles::list_roles).post(roles::create_role))
        .service(
            role.get(roles::get_role)
                .patch(roles::update_role)
                .delete(roles::delete_role),
        )
        .service(
            resource("/users/{id}/roles")
                .get(grants::get_user_roles)
                .put(grants::set_user_roles),
        )
        .service(
            keys.get(api_keys::list_api_keys)
                .post(api_keys::create_api_key),
        )
        .service(
            key.get(api_keys::get_api_key)
                .delete(api_keys::delete_api_key),
        )
        .service(scope("/service-accounts").configure(machines));
}

fn machines(cfg: &mut ServiceConfig) {
    let (all, one) = (resource(""), resource("/{id}"));
    let (keys, key) = (resource("/{id}/api-keys"), resource("/{id}/api-keys/{key}"));
    cfg.service(
        all.get(services::list_service_accounts)
            .post(services::create_service_account),
    )
    .service(
        one.get(services::get_service_account)
            .patch(services::update_service_account)
            .delete(services::delete_service_account),
    )
    .service(resource("/{id}/roles").put(services::set_service_account_roles))
    .service(
        keys.get(service_keys::list_service_keys)
            .post(service_keys::create_service_key),
    )
    .service(
        key.get(service_keys::get_service_key)
            .delete(service_keys::delete_service_key),
    );
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
        mail::verify_email,
        mail::resend_verification,
        mail::change_email,
        mail::forgot_password,
        mail::reset_password,
        mail::send_password_link,
        dev_mail::list_dev_mail,
        dev_mail::get_dev_mail,
        password::change_password,
        password::reauthenticate,
        page::get_setup_page,
        page::get_verify_page,
        page::get_reset_page,
        jwks::get_jwks,
        roles::list_scopes,
        roles::list_roles,
        roles::create_role,
        roles::get_role,
        roles::update_role,
        roles::delete_role,
        grants::get_user_roles,
        grants::set_user_roles,
        api_keys::list_api_keys,
        api_keys::create_api_key,
        api_keys::get_api_key,
        api_keys::delete_api_key,
        services::list_service_accounts,
        services::create_service_account,
        services::get_service_account,
        services::update_service_account,
        services::delete_service_account,
        services::set_service_account_roles,
        service_keys::list_service_keys,
        service_keys::create_service_key,
        service_keys::get_service_key,
        service_keys::delete_service_key,
    ),
    tags((name = "auth", description = "Registration, login, sessions, tokens, roles and API keys."))
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
