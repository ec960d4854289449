use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderValue, WWW_AUTHENTICATE};
use cgcg_core::Denied;

use super::Problem;

impl From<Denied> for Problem {
    /// Status and code as house rules say; the words of `WWW-Authenticate` are those of RFC 6750 and RFC 9470.
    fn from(denied: Denied) -> Self {
        let detail = denied.to_string();
        let (status, code, challenge) = match denied {
            Denied::Missing => (
                StatusCode::UNAUTHORIZED,
                "credentials_missing",
                String::new(),
            ),
            Denied::Invalid => (
                StatusCode::UNAUTHORIZED,
                "token_invalid",
                error("invalid_token"),
            ),
            Denied::Expired => (
                StatusCode::UNAUTHORIZED,
                "token_expired",
                error("invalid_token"),
            ),
            Denied::Stale => (
                StatusCode::UNAUTHORIZED,
                "token_stale",
                error("invalid_token"),
            ),
            Denied::OldLogin { max_age } => {
                let code = "insufficient_user_authentication";
                let challenge = format!("{}, max_age=\"{max_age}\"", error(code));
                return Self::new(StatusCode::UNAUTHORIZED, code, detail)
                    .challenge(&challenge)
                    .with("max_age", max_age.into());
            }
            Denied::MissingScope(scope) => {
                let code = "insufficient_scope";
                let challenge = format!("{}, scope=\"{scope}\"", error(code));
                return Self::forbidden(code, detail)
                    .challenge(&challenge)
                    .with("scope", scope.into());
            }
            Denied::NotAPerson => return Self::forbidden("person_required", detail),
            _ => {
                let status = StatusCode::SERVICE_UNAVAILABLE;
                return Self::new(status, "auth_unavailable", detail)
                    .retry_after(Duration::from_secs(5));
            }
        };
        Self::new(status, code, detail).challenge(&challenge)
    }
}

impl Problem {
    fn challenge(self, parameters: &str) -> Self {
        match HeaderValue::from_str(&format!("Bearer realm=\"cgcg\"{parameters}")) {
            Ok(value) => self.header(WWW_AUTHENTICATE, value),
            Err(_) => self,
        }
    }
}

fn error(code: &str) -> String {
    format!(", error=\"{code}\"")
}
