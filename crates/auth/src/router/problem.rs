use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use cgcg_core::Denied;
use cgcg_web::Problem;

use crate::Error;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::InvalidCredentials => unauthorized("invalid_credentials", detail),
            Error::InvalidGrant => unauthorized("invalid_grant", detail),
            Error::AccountDisabled => Self::forbidden("account_disabled", detail),
            Error::InvalidScope => bad_request("invalid_scope", detail),
            Error::PasswordChangeRequired { reset_token } => {
                let required = Self::forbidden("password_change_required", detail);
                required.with("reset_token", reset_token.expose().as_str().into())
            }
            Error::PasswordGrantOff => Self::forbidden("password_grant_off", detail),
            Error::RegistrationClosed => Self::forbidden("registration_closed", detail),
            Error::InviteRequired => Self::forbidden("invite_required", detail),
            Error::EmailDomainRefused => Self::forbidden("email_domain_refused", detail),
            Error::ScopeNotHeld => Self::forbidden("scope_not_held", detail),
            Error::TargetOutranksCaller => Self::forbidden("target_outranks_caller", detail),
            Error::UserNotFound => Self::not_found("user_not_found", detail),
            Error::RoleNotFound => Self::not_found("role_not_found", detail),
            Error::ServiceAccountNotFound => Self::not_found("service_account_not_found", detail),
            Error::ApiKeyNotFound => Self::not_found("api_key_not_found", detail),
            Error::BuiltinRole => Self::conflict("builtin_role", detail),
            Error::RoleInUse => Self::conflict("role_in_use", detail),
            Error::NameTaken => Self::conflict("name_taken", detail),
            Error::LastAdmin => Self::conflict("last_admin", detail),
            Error::TooManyKeys => Self::conflict("too_many_keys", detail),
            Error::ServiceAccountDisabled => Self::conflict("service_account_disabled", detail),
            Error::VersionMismatch => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail)
            }
            Error::Denied(denied) => denied.into(),
            Error::OneTimeTokenInvalid => bad_request("one_time_token_invalid", detail),
            Error::IdempotencyKeyInvalid => bad_request("idempotency_key_invalid", detail),
            Error::IdempotencyKeyReused => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, "idempotency_key_reused", detail)
            }
            Error::WrongPassword => Self::forbidden("wrong_password", detail),
            Error::EmailTaken => Self::conflict("email_taken", detail),
            Error::UsernameTaken => Self::conflict("username_taken", detail),
            Error::Invalid { field, invalid } => Self::invalid(field, &invalid),
            Error::SetupClosed => Self::not_found("setup_closed", detail),
            Error::SessionNotFound => Self::not_found("session_not_found", detail),
            Error::Throttled { retry_after } => {
                Self::new(StatusCode::TOO_MANY_REQUESTS, "throttled", detail)
                    .retry_after(retry_after)
            }
            Error::KeyNotFound => Self::not_found("signing_key_not_found", detail),
            Error::NotAPerson => Denied::NotAPerson.into(),
            Error::NotOpen => Denied::Unavailable.into(),
            Error::Overloaded => {
                let busy = Self::new(StatusCode::SERVICE_UNAVAILABLE, "overloaded", detail);
                busy.retry_after(Duration::from_secs(1))
            }
            Error::Database(error) => Self::database(error),
            Error::Settings(_) | Error::WrongKey { .. } | Error::Key(_) | Error::Publish(_) => {
                Self::internal(error)
            }
        }
    }
}

fn bad_request(code: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::BAD_REQUEST, code, detail)
}

/// RFC 9110 wants a challenge with each 401.
fn unauthorized(code: &'static str, detail: String) -> Problem {
    let challenge = HeaderValue::from_static("Bearer realm=\"cgcg\"");
    Problem::new(StatusCode::UNAUTHORIZED, code, detail).header(WWW_AUTHENTICATE, challenge)
}
