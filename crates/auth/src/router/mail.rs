//! What people do with the links of mail.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::{Email, Id, Secret, User};
use cgcg_web::{Caller, Json, Path, Problem, RequireScope};
use serde::{Deserialize, Serialize};

use super::device;
use crate::{EmailChange, PasswordReset, Service, scopes};

/// Names an account.
type UserId = Id<User>;

/// Whom to write to.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipient {
    /// Mail goes to the address that the account has, in the account's own spelling.
    #[schema(value_type = String, format = "email", example = "ada@example.org")]
    email: Email,
}

/// The token of a link.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct LinkToken {
    /// What stands behind the `#`.
    #[schema(value_type = String, format = "password")]
    token: Secret<String>,
}

/// Something is done about it; whether there was something to do is not told.
#[derive(Debug, Serialize, utoipa::ToSchema)]
pub(super) struct Accepted {
    /// Always `check_email`.
    #[schema(value_type = String, example = "check_email")]
    status: &'static str,
}

/// 202, the same for everybody.
pub(super) fn check_email() -> HttpResponse {
    HttpResponse::Accepted().json(Accepted {
        status: "check_email",
    })
}

/// Prove an e-mail address, or finish a change of it, with the token of a mail.
#[utoipa::path(
    post,
    path = "/api/v1/auth/email/verify",
    tag = "auth",
    request_body = LinkToken,
    responses(
        (status = 204, description = "Proved."),
        (status = 400, description = "`one_time_token_invalid`, whatever the cause"),
    ),
    security(())
)]
pub(super) async fn verify_email(
    auth: Data<Service>,
    request: HttpRequest,
    link: Json<LinkToken>,
) -> Result<HttpResponse, Problem> {
    auth.verify_email(&link.0.token, &device(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Ask for another mail to prove an address. The answer never tells whether there is an account.
#[utoipa::path(
    post,
    path = "/api/v1/auth/email/resend",
    tag = "auth",
    request_body = Recipient,
    responses((status = 202, body = Accepted)),
    security(())
)]
pub(super) async fn resend_verification(
    auth: Data<Service>,
    request: HttpRequest,
    to: Json<Recipient>,
) -> Result<HttpResponse, Problem> {
    auth.resend_verification(to.0.email, &device(&request))
        .await?;
    Ok(check_email())
}

/// Move your account to another e-mail address.
///
/// The move happens once the link in the mail to the new address was followed; it ends all sessions. On a server without
/// mail, where no address has to be proved, it happens at once and ends the other sessions.
#[utoipa::path(
    post,
    path = "/api/v1/auth/email/change",
    tag = "auth",
    request_body = EmailChange,
    responses(
        (status = 202, body = Accepted),
        (status = 403, description = "`wrong_password`, `email_domain_refused`"),
        (status = 409, description = "`email_taken`: only on a server without mail"),
    ),
    security(("oauth2" = []))
)]
pub(super) async fn change_email(
    auth: Data<Service>,
    caller: Caller,
    request: HttpRequest,
    change: Json<EmailChange>,
) -> Result<HttpResponse, Problem> {
    auth.change_email(&caller, change.0, &device(&request))
        .await?;
    Ok(check_email())
}

/// Ask for a mail to set a new password. The answer never tells whether there is an account.
#[utoipa::path(
    post,
    path = "/api/v1/auth/password/forgot",
    tag = "auth",
    request_body = Recipient,
    responses((status = 202, body = Accepted)),
    security(())
)]
pub(super) async fn forgot_password(
    auth: Data<Service>,
    request: HttpRequest,
    to: Json<Recipient>,
) -> Result<HttpResponse, Problem> {
    auth.forgot(to.0.email, &device(&request)).await?;
    Ok(check_email())
}

/// Set a new password with the token of a mail. Logs nobody in; ends all sessions.
#[utoipa::path(
    post,
    path = "/api/v1/auth/password/reset",
    tag = "auth",
    request_body = PasswordReset,
    responses(
        (status = 204, description = "Set."),
        (status = 400, description = "`one_time_token_invalid`, whatever the cause"),
        (status = 422, description = "`password_too_short`, `password_too_long`"),
    ),
    security(())
)]
pub(super) async fn reset_password(
    auth: Data<Service>,
    request: HttpRequest,
    new: Json<PasswordReset>,
) -> Result<HttpResponse, Problem> {
    auth.reset(&new.0, &device(&request)).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Mail the owner of an account a link to set a password. It is never shown here.
#[utoipa::path(
    post,
    path = "/api/v1/auth/users/{id}/password-link",
    tag = "auth",
    params(("id" = inline(UserId), Path)),
    responses(
        (status = 202, body = Accepted),
        (status = 403, description = "`target_outranks_caller`, `account_disabled`"),
        (status = 404, description = "`user_not_found`"),
    ),
    security(("oauth2" = ["auth:users"]))
)]
pub(super) async fn send_password_link(
    auth: Data<Service>,
    caller: RequireScope<scopes::Users>,
    request: HttpRequest,
    id: Path<UserId>,
) -> Result<HttpResponse, Problem> {
    auth.send_password_link(&caller, id.0, &device(&request))
        .await?;
    Ok(check_email())
}
