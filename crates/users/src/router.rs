mod accounts;
mod me;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ServiceConfig, resource, scope};
use cgcg_core::{Denied, Migrations, ScopeInfo, TopicSpec};
use cgcg_web::{Module, Problem, etag};
use serde::Serialize;
use utoipa::OpenApi;

use crate::{Error, MIGRATIONS, Service, TOPICS, scopes};

impl Module for Service {
    fn name(&self) -> &'static str {
        "users"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/users"]
    }

    fn migrations(&self) -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes(&self, cfg: &mut ServiceConfig) {
        let (me, all, one) = (resource("/me"), resource(""), resource("/{id}"));
        let users = scope("/users")
            .app_data(Data::new(self.clone()))
            .service(all.get(accounts::list_users).post(accounts::create_user))
            .service(
                me.get(me::get_me)
                    .patch(me::update_me)
                    .delete(me::delete_me),
            )
            .service(
                one.get(accounts::get_user)
                    .patch(accounts::update_user)
                    .delete(accounts::delete_user),
            )
            .service(resource("/{id}/disable").post(accounts::disable_user))
            .service(resource("/{id}/enable").post(accounts::enable_user));
        cfg.service(users);
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
}

#[derive(OpenApi)]
#[openapi(
    paths(
        me::get_me,
        me::update_me,
        me::delete_me,
        accounts::list_users,
        accounts::create_user,
        accounts::get_user,
        accounts::update_user,
        accounts::delete_user,
        accounts::disable_user,
        accounts::enable_user,
    ),
    tags((name = "users", description = "Accounts of people."))
)]
struct Document;

/// 200 with the version as `ETag`.
fn answer(version: i64, body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(version)).json(body)
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound => Self::not_found("user_not_found", detail),
            Error::EmailTaken => Self::conflict("email_taken", detail),
            Error::UsernameTaken => Self::conflict("username_taken", detail),
            Error::VersionMismatch => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail)
            }
            Error::Invalid { field, invalid } => Self::invalid(field, &invalid),
            Error::Refused {
                code: code @ "last_admin",
            } => Self::conflict(code, "one administrator has to stay"),
            // Whoever asks has lost session or key meanwhile.
            Error::Refused {
                code: "token_stale",
            } => Denied::Stale.into(),
            Error::Refused {
                code: code @ "use_email_change",
            } => Self::forbidden(code, "your own address changes with your password"),
            Error::Refused { code } => Self::forbidden(code, "this change is not allowed"),
            Error::PersonRequired => Denied::NotAPerson.into(),
            Error::Publish(_) => Self::internal(error),
            Error::Database(error) => Self::database(error),
        }
    }
}
