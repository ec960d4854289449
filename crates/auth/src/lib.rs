#![doc = include_str!("../README.md")]

mod api_key;
mod audit;
mod cache;
mod error;
#[cfg(feature = "fuzzing")]
#[doc(hidden)]
pub mod fuzzing;
mod idempotency;
mod key_use;
pub mod keyring;
mod mail;
mod message;
mod one_time;
pub mod password;
mod refresh;
#[cfg(feature = "router")]
mod router;
mod schemas;
mod scopes;
mod seen;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod tests;
mod throttle;
pub mod token;
mod worker;

use cgcg_core::{Migrations, Step};

pub use error::Error;
pub use idempotency::IdempotencyKey;
pub use mail::{Mail, MailError, Mailer};
pub use message::TOPICS;
pub use schemas::{
    About, AccessToken, AccountCreate, AdminCreate, Answered, ApiKey, ApiKeyCreate, ApiKeyCreated,
    ApiKeyId, AuditAction, AuditEntry, AuditFilter, Credentials, Device, EmailChange, ImportUser,
    Imported, Name, PasswordChange, PasswordReset, Reauthentication, Registered, Role, RoleCreate,
    RoleId, RoleUpdate, RolesUpdate, Scope, ServiceAccount, ServiceAccountCreate, ServiceAccountId,
    ServiceAccountUpdate, SessionInfo, SessionUpdate, SetupCreate, SubjectRoles, Tokens, Welcome,
};
pub use scopes::ALL as SCOPES;
pub use service::{Host, Pace, Service};
pub use settings::{
    ApiKeys, Audit as AuditSettings, Bootstrap, EmailVerification, Keys as KeySettings, Links,
    LostResponse, Mail as MailSettings, Passwords, Registration, RegistrationPolicy, Roles,
    Sessions, Settings, Smtp, SmtpTls, Tokens as TokenSettings, Transport,
};
pub use throttle::ThrottleSettings;

/// The tables of this feature. Core's own must be there too: the instance has its name in them.
pub static MIGRATIONS: Migrations = Migrations {
    ledger: "_migrations_auth",
    steps: &[
        Step {
            version: 1,
            name: "init",
            sqlite: include_str!("../migrations/0001_init.sqlite.sql"),
            postgres: include_str!("../migrations/0001_init.postgres.sql"),
        },
        Step {
            version: 2,
            name: "trust",
            sqlite: include_str!("../migrations/0002_trust.sqlite.sql"),
            postgres: include_str!("../migrations/0002_trust.postgres.sql"),
        },
    ],
};
