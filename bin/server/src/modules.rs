//! The one list of the features that the program was built with.

use std::sync::Arc;

#[cfg(feature = "users")]
use cgcg_core::AccountObserver;
use cgcg_core::{Authenticator, Clock, Db};
#[cfg(any(feature = "users", feature = "tasks"))]
use cgcg_core::{NoPublisher, Publisher};
use cgcg_web::Module;

use crate::Failure;
use crate::master_key::MasterKeys;
use crate::settings::Settings;

/// All features of this build, shared by all threads.
pub(crate) type Modules = Arc<[Arc<dyn Module>]>;

/// What features are made from.
pub(crate) struct Parts<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) db: Db,
    #[cfg_attr(
        not(feature = "auth"),
        expect(dead_code, reason = "only auth has a key of its own yet")
    )]
    pub(crate) keys: MasterKeys,
}

/// What was made.
pub(crate) struct Built {
    pub(crate) modules: Modules,
    pub(crate) authenticator: Option<Arc<dyn Authenticator>>,
    #[cfg(feature = "auth")]
    pub(crate) auth: cgcg_auth::Service,
    #[cfg(feature = "tasks")]
    pub(crate) tasks: cgcg_tasks::Host,
}

impl Built {
    /// Makes every feature, in the order in which each finds what it needs.
    pub(crate) fn new(parts: &Parts<'_>) -> Result<Self, Failure> {
        #[cfg(any(feature = "users", feature = "tasks"))]
        let publisher: Arc<dyn Publisher> = Arc::new(NoPublisher);
        #[cfg(feature = "users")]
        let directory = cgcg_users::Directory::new(parts.clock.clone(), publisher.clone());
        // Whoever must hear of changes of accounts, but auth.
        #[cfg(feature = "users")]
        let observers: Vec<Arc<dyn AccountObserver>> = Vec::new();
        #[cfg(feature = "tasks")]
        let tasks = cgcg_tasks::Service::with_publisher(
            parts.db.clone(),
            parts.clock.clone(),
            parts.settings.tasks.clone(),
            publisher.clone(),
        );
        #[cfg(all(feature = "auth", feature = "tasks"))]
        let queue = Some(crate::own_tasks::queue(&tasks));
        #[cfg(all(feature = "auth", not(feature = "tasks")))]
        let queue = None;
        #[cfg(feature = "auth")]
        let auth = parts.auth(
            directory.clone(),
            publisher.clone(),
            observers.clone(),
            queue,
        )?;
        #[cfg(feature = "tasks")]
        let tasks = crate::own_tasks::host(
            tasks,
            #[cfg(feature = "auth")]
            &auth,
        );
        // Auth comes first: what it refuses, nobody else hears of.
        #[cfg(feature = "auth")]
        let observers = [
            vec![Arc::new(auth.clone()) as Arc<dyn AccountObserver>],
            observers,
        ]
        .concat();
        #[cfg(feature = "users")]
        let users = cgcg_users::Service::new(
            parts.db.clone(),
            parts.clock.clone(),
            parts.settings.users.clone(),
            directory,
            observers,
            publisher,
        );
        // The type is written out: with it, each element becomes a `dyn Module` by itself, and an array that the
        // features have emptied still compiles.
        let modules: &[Arc<dyn Module>] = &[
            #[cfg(feature = "users")]
            Arc::new(users),
            #[cfg(feature = "auth")]
            Arc::new(auth.clone()),
            #[cfg(feature = "tasks")]
            Arc::new(tasks.clone()),
        ];
        Ok(Self {
            modules: modules.into(),
            #[cfg(feature = "auth")]
            authenticator: Some(Arc::new(auth.clone())),
            #[cfg(not(feature = "auth"))]
            authenticator: static_tokens(parts.settings, &parts.clock)?,
            #[cfg(feature = "auth")]
            auth,
            #[cfg(feature = "tasks")]
            tasks,
        })
    }

    /// A build that keeps nothing.
    #[cfg(not(any(
        feature = "sqlite",
        feature = "postgres",
        feature = "users",
        feature = "tasks"
    )))]
    pub(crate) fn empty(settings: &Settings, clock: &Arc<dyn Clock>) -> Result<Self, Failure> {
        Ok(Self {
            modules: Arc::new([]),
            authenticator: static_tokens(settings, clock)?,
        })
    }
}

#[cfg(feature = "auth")]
impl Parts<'_> {
    fn auth(
        &self,
        directory: cgcg_users::Directory,
        publisher: Arc<dyn Publisher>,
        observers: Vec<Arc<dyn AccountObserver>>,
        tasks: Option<Arc<dyn cgcg_core::TaskQueue>>,
    ) -> Result<cgcg_auth::Service, Failure> {
        // Fails only where it is installed already.
        let _ = jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER.install_default();
        let previous = self.keys.previous.as_ref();
        let previous = previous.map(|key| key.derive("auth"));
        let keys = cgcg_core::FeatureKeys {
            current: self.keys.current.derive("auth")?,
            previous: previous.transpose()?,
        };
        let host = cgcg_auth::Host {
            public_url: self.settings.http.public_url.clone(),
            user_location: Some("/api/v1/users/{id}"),
            without_usernames: self.settings.users.usernames == cgcg_users::Usernames::Off,
            listen: Some(self.settings.http.listen),
            behind_proxy: !self.settings.http.trusted_proxies.is_empty(),
            mail_folder: Some(self.settings.data.dir.join("mail")),
            mailer: None,
            observers,
            tasks,
        };
        let (db, clock, settings) = (
            self.db.clone(),
            self.clock.clone(),
            self.settings.auth.clone(),
        );
        Ok(cgcg_auth::Service::new(
            db,
            clock,
            settings,
            keys,
            Arc::new(directory),
            publisher,
            host,
        )?)
    }
}

#[cfg(not(feature = "auth"))]
fn static_tokens(
    settings: &Settings,
    clock: &Arc<dyn Clock>,
) -> Result<Option<Arc<dyn Authenticator>>, Failure> {
    if settings.access.static_tokens.is_empty() {
        return Ok(None);
    }
    Ok(Some(Arc::new(cgcg_core::StaticTokens::new(
        &settings.access.static_tokens,
        clock.clone(),
    )?)))
}
