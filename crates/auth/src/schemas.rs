mod api_keys;
mod audit;
mod import;
mod name;
mod roles;
mod services;
mod session;

use std::net::IpAddr;

use cgcg_core::{Account, AccountStatus, Email, Id, Secret, Session, Timestamp, User, Username};
use serde::{Deserialize, Serialize, Serializer};

use crate::store::sessions::ScopeLimit;

pub(crate) use api_keys::ApiKeyInDb;
pub use api_keys::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId};
pub(crate) use audit::AuditInDb;
pub use audit::{AuditAction, AuditEntry, AuditFilter};
pub use import::{ImportUser, Imported};
pub use name::{About, Name};
pub(crate) use roles::RoleInDb;
pub use roles::{Role, RoleCreate, RoleId, RoleUpdate, RolesUpdate, Scope, SubjectRoles};
pub(crate) use services::ServiceAccountInDb;
pub use services::{ServiceAccount, ServiceAccountCreate, ServiceAccountId, ServiceAccountUpdate};
pub(crate) use session::SessionRow;
pub use session::{SessionInfo, SessionUpdate};

/// Who logs in.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Credentials {
    /// E-mail or user name.
    #[cfg_attr(feature = "router", schema(example = "ada@example.org"))]
    pub login: String,
    /// As it was set.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password"))]
    pub password: Secret<String>,
}

/// A new account, made by the person itself.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct AccountCreate {
    /// To log in with, and where mail goes.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "email", example = "ada@example.org"))]
    pub email: Email,
    /// By default at least 12 characters.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password", min_length = 12, max_length = 128))]
    pub password: Secret<String>,
    /// For people: 1 to 100 characters on one line.
    #[serde(default)]
    pub display_name: Option<String>,
    /// A second name to log in with: 3 to 32 of `a-z 0-9 _ . -`. Not where addresses have to be proved: choose it later.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9_.-]{2,31}$"))]
    pub username: Option<Username>,
}

/// A new administrator, made by the command line.
#[derive(Debug, Clone)]
pub struct AdminCreate {
    /// To log in with, and where mail goes.
    pub email: Email,
    /// As strong as everybody's.
    pub password: Secret<String>,
    /// For people.
    pub display_name: Option<String>,
}

/// The first administrator, made by whoever has the set-up link.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct SetupCreate {
    /// From the link, behind the `#`.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password"))]
    pub token: Secret<String>,
    /// To log in with, and where mail goes.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "email", example = "ada@example.org"))]
    pub email: Email,
    /// By default at least 12 characters.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password", min_length = 12, max_length = 128))]
    pub password: Secret<String>,
    /// For people: 1 to 100 characters on one line.
    #[serde(default)]
    pub display_name: Option<String>,
}

/// From where somebody comes; kept with sessions, for their owner to tell them apart, and in the audit.
#[derive(Debug, Clone, Default)]
pub struct Device {
    /// The address of the client.
    pub ip: Option<IpAddr>,
    /// What the client says it is; cut at 256 bytes.
    pub user_agent: Option<String>,
    /// The id of the request, as the log has it.
    pub request_id: Option<String>,
}

impl Device {
    /// As it is stored: never half a character.
    pub(crate) fn user_agent(&self) -> Option<&str> {
        let text = self.user_agent.as_deref()?;
        Some(&text[..text.floor_char_boundary(256)])
    }
}

/// What a login or a refresh gives. `Debug` shows no token.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Tokens {
    /// Shown as `Authorization: Bearer …`.
    #[serde(serialize_with = "expose")]
    #[cfg_attr(feature = "router", schema(value_type = String))]
    pub access_token: Secret<String>,
    /// Always `Bearer`.
    #[cfg_attr(feature = "router", schema(value_type = String, example = "Bearer"))]
    pub token_type: &'static str,
    /// Life of the access token, seconds.
    pub expires_in: u64,
    /// Good for one refresh.
    #[serde(serialize_with = "expose")]
    #[cfg_attr(feature = "router", schema(value_type = String))]
    pub refresh_token: Secret<String>,
    /// Life of the refresh token, seconds.
    pub refresh_expires_in: u64,
    /// What the tokens may do, parted by blanks; absent where that is all that the account may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// What a new proof of an open session gives: its refresh token stays as it is. `Debug` shows no token.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct AccessToken {
    /// Shown as `Authorization: Bearer …`.
    #[serde(serialize_with = "expose")]
    #[cfg_attr(feature = "router", schema(value_type = String))]
    pub access_token: Secret<String>,
    /// Always `Bearer`.
    #[cfg_attr(feature = "router", schema(value_type = String, example = "Bearer"))]
    pub token_type: &'static str,
    /// Life of the access token, seconds.
    pub expires_in: u64,
    /// What the token may do, parted by blanks; absent where that is all that the account may do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scope: Option<String>,
}

/// A new password in place of a known one.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct PasswordChange {
    /// As it was set.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password"))]
    pub current_password: Secret<String>,
    /// By default at least 12 characters.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password", min_length = 12, max_length = 128))]
    pub new_password: Secret<String>,
    /// Whether other devices stay logged in.
    #[serde(default)]
    pub keep_other_sessions: bool,
}

/// Who is logged in proves it once more.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Reauthentication {
    /// As it was set.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password"))]
    pub password: Secret<String>,
}

/// An account that was just made.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Registered {
    /// Its id.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub id: Id<User>,
    /// Where mail goes.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "email"))]
    pub email: Email,
    /// When the person proved to read that mail.
    pub email_verified_at: Option<Timestamp>,
    /// A second name to log in with.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>))]
    pub username: Option<Username>,
    /// For people.
    pub display_name: Option<String>,
    /// Whether it may be used.
    pub status: AccountStatus,
    /// Made at.
    pub created_at: Timestamp,
}

impl From<Account> for Registered {
    fn from(account: Account) -> Self {
        Self {
            id: account.id,
            email: account.email,
            email_verified_at: account.email_verified_at,
            username: account.username,
            display_name: account.display_name,
            status: account.status,
            created_at: account.created_at,
        }
    }
}

/// What a registration answers.
#[derive(Debug, Clone)]
pub enum Welcome {
    /// The account can be used.
    Made(Registered),
    /// Whoever reads the address gets a mail: to prove it, or to be told that it has an account already. Nobody else
    /// learns which.
    CheckEmail,
}

impl Welcome {
    /// The account, where it may be shown.
    pub fn account(self) -> Option<Registered> {
        match self {
            Self::Made(account) => Some(account),
            Self::CheckEmail => None,
        }
    }
}

/// What a registration with a key answers.
#[derive(Debug, Clone)]
pub struct Answered {
    /// The answer.
    pub welcome: Welcome,
    /// Whether it was given before.
    pub replayed: bool,
}

/// Another address for one's own account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct EmailChange {
    /// Takes effect once the link in the mail to it was followed.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "email", example = "ada@example.com"))]
    pub new_email: Email,
    /// The account's.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password"))]
    pub password: Secret<String>,
}

/// A new password for whoever has the link of a mail.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct PasswordReset {
    /// From the link, behind the `#`.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password"))]
    pub token: Secret<String>,
    /// By default at least 12 characters.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "password", min_length = 12, max_length = 128))]
    pub new_password: Secret<String>,
}

/// A session as it is stored. With its salt and our key its refresh tokens can be made.
#[derive(Clone, sqlx::FromRow)]
pub(crate) struct SessionInDb {
    pub(crate) id: Id<Session>,
    pub(crate) user_id: Id<User>,
    /// The generation of the newest refresh token.
    pub(crate) r#gen: i64,
    pub(crate) salt: Vec<u8>,
    pub(crate) rotated_at: Timestamp,
    pub(crate) idle_expires_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) revoked_at: Option<Timestamp>,
    pub(crate) logged_in_at: Timestamp,
    pub(crate) factors: i64,
    pub(crate) scope_limit: Option<ScopeLimit>,
}

impl SessionInDb {
    pub(crate) fn is_live(&self, now: Timestamp) -> bool {
        self.revoked_at.is_none() && now < self.ends_at()
    }

    /// When it ends if nobody refreshes it.
    pub(crate) fn ends_at(&self) -> Timestamp {
        self.idle_expires_at.min(self.expires_at)
    }
}

fn expose<S: Serializer>(secret: &Secret<String>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(secret.expose())
}
