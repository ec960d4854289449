mod api_keys;
mod audit;
mod authenticate;
mod bootstrap;
mod email;
mod endings;
mod errands;
mod grants;
mod idempotency;
mod import;
mod key_check;
mod key_store;
mod keys;
mod links;
mod login;
mod mail;
mod observer;
mod one_time;
mod open;
mod outbox;
mod padding;
mod password;
mod refresh;
mod register;
mod reset;
mod rights;
mod roles;
mod rotate;
mod service_keys;
mod services;
mod session;
mod session_list;
mod setup;
mod throttle;

#[cfg(test)]
pub(crate) use padding::Timed;
pub use rotate::Pace;

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use cgcg_core::{
    AccountObserver, Clock, Db, FeatureKeys, Id, Publisher, ScopeInfo, Session, TaskQueue,
    Timestamp, UserDirectory,
};
use serde_json::Value;
use tokio::sync::{Notify, Semaphore};

use crate::cache::Cache;
use crate::key_use::KeyUse;
use crate::keyring::KeyRing;
use crate::mail::MailSetup;
use crate::password::{Blocklist, Owner, Policy, Pool};
use crate::seen::Seen;
use crate::throttle::Addresses;
use crate::token::{Issuer, Verifier};
use crate::{Error, Mailer, Settings};
use padding::Padding;

/// What the host knows and auth cannot.
#[derive(Clone, Default)]
pub struct Host {
    /// Where clients reach the host: `https://api.example.org`. The issuer of tokens, where the settings name none.
    pub public_url: Option<String>,
    /// Path of an account, for `Location`: `/api/v1/users/{id}`.
    pub user_location: Option<&'static str>,
    /// Whether whoever keeps the accounts wants no user names: registration refuses them then.
    pub without_usernames: bool,
    /// Where the host listens, as far as it is known before it does. Links lead there where there is no `public_url`, and
    /// mail to files is refused where others could reach it.
    pub listen: Option<SocketAddr>,
    /// Whether the host believes proxies: what comes from this machine may come from anywhere then, and mail to files is
    /// refused.
    pub behind_proxy: bool,
    /// Where `mail.transport = "file"` puts mail: a folder that nobody else may read.
    pub mail_folder: Option<PathBuf>,
    /// Sends mail instead of what the settings name.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// Who else is asked before auth itself moves an account to another address, as whoever keeps the accounts asks them
    /// before any other change. Without this service, which knows.
    pub observers: Vec<Arc<dyn AccountObserver>>,
    /// Where background work is queued. Then the host has to do two kinds of it: at a task `auth.mail`, and each minute,
    /// [`Service::send_due`] until it takes nothing; now and then [`Service::purge`]. Without it, [`Service::workers`]
    /// do both.
    pub tasks: Option<Arc<dyn TaskQueue>>,
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("public_url", &self.public_url)
            .field("listen", &self.listen)
            .field("mail_folder", &self.mail_folder)
            .finish_non_exhaustive()
    }
}

/// Proves who somebody is, and keeps that proof. A cheap clone; one per process.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    settings: Settings,
    keys: Keys,
    directory: Arc<dyn UserDirectory>,
    publisher: Arc<dyn Publisher>,
    host: Host,
    policy: Policy,
    pool: Pool,
    padding: Padding,
    cache: Cache,
    addresses: Addresses,
    seen: Seen,
    key_use: KeyUse,
    mail: MailSetup,
    /// Rung when there is mail to send.
    outbox: Notify,
    errands: Arc<Semaphore>,
    listens_on: OnceLock<SocketAddr>,
    opened: RwLock<Option<Arc<Opened>>>,
}

/// Derived from the key that the host gave, one for each purpose.
struct Keys {
    refresh: FeatureKeys,
    one_time: FeatureKeys,
    idempotency: FeatureKeys,
    seal: FeatureKeys,
    throttle: FeatureKeys,
}

/// What is known only once the database was read.
struct Opened {
    ring: KeyRing,
    issuer: Issuer,
    verifier: Verifier,
    /// Held while the keys are read again.
    reload: tokio::sync::Mutex<()>,
    /// The scopes that this build knows.
    catalogue: Vec<ScopeInfo>,
}

impl Service {
    /// Over any table of accounts. Reads and writes nothing: see [`Service::open`].
    ///
    /// # Errors
    /// [`Error::Settings`] names each key that is wrong.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        settings: Settings,
        keys: FeatureKeys,
        directory: Arc<dyn UserDirectory>,
        publisher: Arc<dyn Publisher>,
        host: Host,
    ) -> Result<Self, Error> {
        let wrong: Vec<String> = settings
            .validate()
            .iter()
            .map(|(key, mend)| format!("{key}: {mend}"))
            .collect();
        if !wrong.is_empty() {
            return Err(Error::Settings(wrong.join("; ")));
        }
        let keys = Keys {
            refresh: keys.derive("refresh")?,
            one_time: keys.derive("one-time")?,
            idempotency: keys.derive("idempotency")?,
            seal: keys.derive("sealing")?,
            throttle: keys.derive("throttle")?,
        };
        Ok(Self(Arc::new(Inner {
            policy: Policy::new(
                settings.passwords.min,
                blocklist(&settings)?,
                Owner::of_host(host.public_url.as_deref()),
            ),
            padding: Padding::default(),
            pool: Pool::new(
                settings.passwords.argon2,
                settings.passwords.pool,
                clock.clone(),
            )
            .with_bcrypt_over_72(settings.passwords.bcrypt_over_72),
            cache: Cache::new(),
            addresses: Addresses::new(&settings.throttle, &clock),
            seen: Seen::default(),
            key_use: KeyUse::default(),
            mail: MailSetup::new(&settings, &host)?,
            outbox: Notify::new(),
            errands: errands::room(),
            listens_on: OnceLock::new(),
            opened: RwLock::new(None),
            db,
            clock,
            settings,
            keys,
            directory,
            publisher,
            host,
        })))
    }

    /// The keys that check our tokens, as `/.well-known/jwks.json` answers them (RFC 7517).
    ///
    /// # Errors
    /// [`Error::NotOpen`].
    pub fn jwks(&self) -> Result<Value, Error> {
        Ok(self.opened()?.ring.keys().jwks(self.now()))
    }

    /// What the settings say.
    pub fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// What the host said of itself.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    pub(crate) fn outbox(&self) -> &Notify {
        &self.0.outbox
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.0.clock
    }

    pub(crate) fn db(&self) -> &Db {
        &self.0.db
    }

    pub(crate) fn take_seen(&self) -> Vec<(Id<Session>, Timestamp)> {
        self.0.seen.take()
    }

    pub(crate) fn put_back_seen(&self, seen: &[(Id<Session>, Timestamp)]) {
        self.0.seen.put_back(seen);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.0.clock.now()
    }

    fn opened(&self) -> Result<Arc<Opened>, Error> {
        let opened = self.0.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.clone().ok_or(Error::NotOpen)
    }
}

/// The passwords that nobody may set.
fn blocklist(settings: &Settings) -> Result<Blocklist, Error> {
    let Some(path) = &settings.passwords.blocklist_file else {
        return Ok(Blocklist::default());
    };
    Blocklist::read(path).map_err(|error| {
        let path = path.display();
        Error::Settings(format!("passwords.blocklist_file: {path}: {error}"))
    })
}

impl fmt::Debug for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Service")
            .field("db", &self.0.db)
            .finish_non_exhaustive()
    }
}
