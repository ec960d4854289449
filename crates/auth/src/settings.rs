mod bootstrap;
mod links;
mod mail;

use std::path::PathBuf;

use cgcg_core::Span;
use serde::Deserialize;

use crate::password::{Argon2Settings, BcryptOver72, Policy, PoolSettings};
use crate::throttle::ThrottleSettings;

pub use bootstrap::Bootstrap;
pub use links::Links;
pub use mail::{Mail, Smtp, SmtpTls, Transport};

/// How accounts are opened, and how long proofs last.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who may open an account.
    pub registration: Registration,
    /// Access tokens.
    pub tokens: Tokens,
    /// Keys that sign access tokens.
    pub keys: Keys,
    /// Logins on a device.
    pub sessions: Sessions,
    /// What a password must be, and what hashing it may cost.
    pub passwords: Passwords,
    /// What new accounts may do.
    pub roles: Roles,
    /// How often somebody may try.
    pub throttle: ThrottleSettings,
    /// What is kept of who did what.
    pub audit: Audit,
    /// Keys of machines.
    pub api_keys: ApiKeys,
    /// How mail leaves the server.
    pub mail: Mail,
    /// Where links in mail lead.
    pub links: Links,
    /// The first administrator of a server at which nobody sits.
    pub bootstrap: Bootstrap,
}

/// Who may open an account.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Registration {
    /// `"open"`: everybody. `"invite"`: administrators make accounts. `"closed"`: nobody.
    pub policy: RegistrationPolicy,
    /// `"off"`: an account can be used at once. `"required"`: only once its owner has followed the link in a mail, and
    /// nobody learns which addresses have accounts. Where absent: off while mail goes to the log, else required.
    pub email_verification: Option<EmailVerification>,
    /// Only e-mail addresses of these domains may register, as in `["example.org"]`; empty = any.
    pub domains: Vec<String>,
}

/// Who may open an account.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum RegistrationPolicy {
    /// Everybody.
    #[default]
    Open,
    /// Administrators make accounts.
    Invite,
    /// Nobody.
    Closed,
}

/// Whether an address has to be proved before its account can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EmailVerification {
    /// It has not.
    Off,
    /// It has.
    Required,
}

/// Access tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Tokens {
    /// How long an access token lives. 1 to 60 min.
    pub access_ttl: Span,
    /// Whether `/auth/token` takes user name and password. Off, it only refreshes, and the login form of `/docs` fails.
    pub password_grant: bool,
    /// `iss` of the tokens; the public address of the server where absent.
    pub issuer: Option<String>,
    /// `aud` of the tokens; the issuer where absent.
    pub audience: Option<String>,
}

impl Default for Tokens {
    fn default() -> Self {
        Self {
            access_ttl: Span::minutes(10),
            password_grant: true,
            issuer: None,
            audience: None,
        }
    }
}

/// Keys that sign access tokens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Keys {
    /// How long one key signs before the next takes over. 1 to 366 d.
    pub rotate_every: Span,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            rotate_every: Span::days(90),
        }
    }
}

/// Logins on a device.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sessions {
    /// A session that is not refreshed for so long ends. 5 min to 366 d, at most `absolute`.
    pub idle: Span,
    /// A session ends then, however busy. 5 min to 3650 d.
    pub absolute: Span,
    /// So long after a refresh, the old refresh token gets the same answer again: for lost answers and parallel tabs.
    /// 0 s to 300 s. Used later, it ends the session.
    pub grace: Span,
    /// `"grace"`: as `grace` says. `"until_next"`: the old refresh token is good until the new one was used, however
    /// long that takes; for clients that lose answers and come back late.
    pub lost_response: LostResponse,
    /// How old the known state of a session may be when an access token is checked; other nodes see a revoke that
    /// late. `"0s"` reads each time. At most 5 min.
    pub check: Span,
    /// Live sessions of one account; one more ends the oldest. 1 to 1000.
    pub max_per_user: u16,
}

impl Default for Sessions {
    fn default() -> Self {
        Self {
            idle: Span::days(14),
            absolute: Span::days(90),
            grace: Span::seconds(10),
            lost_response: LostResponse::Grace,
            check: Span::seconds(5),
            max_per_user: 50,
        }
    }
}

/// How long a refresh whose answer was lost can be repeated.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LostResponse {
    /// For `sessions.grace`.
    #[default]
    Grace,
    /// Until its successor was used.
    UntilNext,
}

/// What a password must be, and what hashing it may cost.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Passwords {
    /// Shortest password, in characters. 8 to 64.
    pub min: usize,
    /// A file of passwords to be refused beside the commonest 100,000: UTF-8, one a line.
    pub blocklist_file: Option<PathBuf>,
    /// Imported hashes of bcrypt know the first 72 bytes of a password. `"refuse"`: a longer one is wrong. `"accept"`:
    /// its first 72 bytes count.
    pub bcrypt_over_72: BcryptOver72,
    /// Cost of one hash.
    pub argon2: Argon2Settings,
    /// Cost of all hashes together.
    pub pool: PoolSettings,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            min: 12,
            blocklist_file: None,
            bcrypt_over_72: BcryptOver72::default(),
            argon2: Argon2Settings::default(),
            pool: PoolSettings::default(),
        }
    }
}

/// What new accounts may do.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Roles {
    /// Roles of a new account: `"user"` has what every person may do.
    pub default: Vec<String>,
}

impl Default for Roles {
    fn default() -> Self {
        Self {
            default: vec!["user".to_owned()],
        }
    }
}

/// What is kept of who did what.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Audit {
    /// Lines older than that are removed. 1 d to 3650 d.
    pub keep: Span,
}

impl Default for Audit {
    fn default() -> Self {
        Self {
            keep: Span::days(365),
        }
    }
}

/// Keys of machines.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiKeys {
    /// How long a key lives whose maker says nothing. 1 min to `max_ttl`.
    pub default_ttl: Span,
    /// The longest life of a key. 1 min to 366 d.
    pub max_ttl: Span,
    /// Whether a key may be made that never ends (`"expires_at": null`).
    pub allow_unlimited: bool,
    /// Live keys of one account. 1 to 1000.
    pub max_per_owner: u16,
}

impl Default for ApiKeys {
    fn default() -> Self {
        Self {
            default_ttl: Span::days(90),
            max_ttl: Span::days(366),
            allow_unlimited: false,
            max_per_owner: 20,
        }
    }
}

impl Settings {
    /// The section of a settings file, with every default.
    pub const SAMPLE: &str = include_str!("settings/sample.toml");

    /// All that is wrong, as (key, what to do).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let minutes = |least, most| Span::minutes(least)..=Span::minutes(most);
        let sessions = &self.sessions;
        let absolute = sessions.absolute.min(Span::days(366));
        let checks = [
            (
                "tokens.access_ttl",
                minutes(1, 60).contains(&self.tokens.access_ttl),
                "expected 1m to 60m",
            ),
            (
                "keys.rotate_every",
                (Span::days(1)..=Span::days(366)).contains(&self.keys.rotate_every),
                "expected 1d to 366d",
            ),
            (
                "sessions.absolute",
                (Span::minutes(5)..=Span::days(3_650)).contains(&sessions.absolute),
                "expected 5m to 3650d",
            ),
            (
                "sessions.idle",
                (Span::minutes(5)..=absolute).contains(&sessions.idle),
                "expected 5m to 366d, at most sessions.absolute",
            ),
            (
                "sessions.grace",
                sessions.grace <= Span::seconds(300),
                "expected 0s to 300s",
            ),
            (
                "sessions.check",
                sessions.check <= Span::minutes(5),
                "expected 0s to 5m",
            ),
            (
                "sessions.max_per_user",
                (1..=1_000).contains(&sessions.max_per_user),
                "expected 1 to 1000",
            ),
            (
                "audit.keep",
                (Span::days(1)..=Span::days(3_650)).contains(&self.audit.keep),
                "expected 1d to 3650d",
            ),
            (
                "roles.default",
                !self.roles.default.iter().any(|role| role == "admin"),
                "a new account is never an administrator",
            ),
            (
                "api_keys.max_ttl",
                (Span::minutes(1)..=Span::days(366)).contains(&self.api_keys.max_ttl),
                "expected 1m to 366d",
            ),
            (
                "api_keys.default_ttl",
                (Span::minutes(1)..=self.api_keys.max_ttl).contains(&self.api_keys.default_ttl),
                "expected 1m to api_keys.max_ttl",
            ),
            (
                "api_keys.max_per_owner",
                (1..=1_000).contains(&self.api_keys.max_per_owner),
                "expected 1 to 1000",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fits, _)| !fits);
        let mut wrong: Vec<_> = wrong.map(|(key, _, mend)| (key, mend.to_owned())).collect();
        wrong.extend(self.throttle.validate());
        let passwords = &self.passwords;
        let nested = Policy::validate(passwords.min).into_iter();
        let nested = nested
            .chain(passwords.argon2.validate())
            .chain(passwords.pool.validate(&passwords.argon2));
        wrong.extend(nested.map(|(key, mend)| (password_key(key), mend)));
        wrong.extend(self.mail.validate());
        wrong.extend(self.links.validate());
        wrong.extend(self.bootstrap.validate());
        wrong
    }
}

/// Where a key of the password settings stands in ours.
fn password_key(key: &'static str) -> &'static str {
    match key {
        "min" => "passwords.min",
        "memory_kib" => "passwords.argon2.memory_kib",
        "passes" => "passwords.argon2.passes",
        "lanes" => "passwords.argon2.lanes",
        "memory" => "passwords.pool.memory",
        "threads" => "passwords.pool.threads",
        "wait" => "passwords.pool.wait",
        other => other,
    }
}
