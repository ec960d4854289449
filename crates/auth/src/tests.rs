mod account;
mod api_keys;
mod audit;
mod bootstrap;
mod devices;
mod dump;
mod email;
mod foreign;
mod grants;
mod idempotency;
mod import;
mod key_bounds;
mod keys;
mod login;
mod mail;
mod mailbox;
mod outbox;
mod password;
mod refresh;
mod reset;
mod rights;
mod roles;
#[cfg(feature = "router")]
mod router;
mod services;
mod session;
mod setup;
#[cfg(feature = "smtp")]
mod smtp;
mod start;
mod throttle;
mod writer;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use cgcg_core::{
    AccountObserver, Authenticator, BoxFuture, Conn, Credential, Db, Denied, FeatureKeys,
    MasterKey, NewMessage, Principal, Publisher, ScopeInfo, SeamError, Secret,
};
use cgcg_testkit::TestClock;
use serde_json::Value;

use mailbox::Mailbox;

use crate::{
    AccountCreate, Credentials, Device, Error, Host, MIGRATIONS, Registered, Service, Settings,
    Tokens,
};

const PASSWORD: &str = "correct horse battery";

const CATALOGUE: &[ScopeInfo] = &[
    ScopeInfo {
        name: "tasks:read",
        about: "Read your tasks.",
        roles: &["user"],
    },
    ScopeInfo {
        name: "users:write",
        about: "Change accounts.",
        roles: &[],
    },
    crate::SCOPES[0],
    crate::SCOPES[1],
    crate::SCOPES[2],
    crate::SCOPES[3],
    crate::SCOPES[4],
];

/// A node on a database, with all that a test looks at from outside.
struct Bed {
    db: Db,
    clock: TestClock,
    published: Arc<Published>,
    auth: Service,
    users: cgcg_users::Service,
    mailbox: Arc<Mailbox>,
}

impl Bed {
    async fn new(db: Db) -> Self {
        Self::with(db, Settings::default()).await
    }

    async fn with(db: Db, settings: Settings) -> Self {
        cgcg_core::MIGRATIONS.run(&db).await.unwrap();
        cgcg_users::MIGRATIONS.run(&db).await.unwrap();
        MIGRATIONS.run(&db).await.unwrap();
        let bed = Self::unopened(db, TestClock::default(), settings, 7);
        bed.auth.open(CATALOGUE).await.unwrap();
        bed
    }

    /// A node that sends mail, into its mailbox.
    async fn with_mail(db: Db, settings: Settings) -> Self {
        let bed = Self::with(db, settings).await;
        bed.mailing().await
    }

    /// The same node, sending mail into a mailbox of its own.
    async fn mailing(&self) -> Self {
        let mailbox = Arc::<Mailbox>::default();
        let host = Host {
            public_url: Some("https://api.example.org".to_owned()),
            mailer: Some(mailbox.clone()),
            ..Host::default()
        };
        let (db, clock, settings) = (self.db.clone(), self.clock.clone(), self.auth.settings());
        let mut bed = Self::hosted(db, clock, settings.clone(), keys(7), host);
        bed.mailbox = mailbox;
        bed.auth.open(CATALOGUE).await.unwrap();
        bed
    }

    /// A node whose master key is made of `seed`.
    fn unopened(db: Db, clock: TestClock, settings: Settings, seed: u8) -> Self {
        Self::with_keys(db, clock, settings, keys(seed))
    }

    fn with_keys(db: Db, clock: TestClock, settings: Settings, keys: FeatureKeys) -> Self {
        Self::hosted(db, clock, settings, keys, Host::default())
    }

    fn hosted(db: Db, clock: TestClock, settings: Settings, keys: FeatureKeys, host: Host) -> Self {
        // Only the first call of a process can succeed.
        jsonwebtoken::crypto::aws_lc::DEFAULT_PROVIDER
            .install_default()
            .ok();
        let (time, published) = (Arc::new(clock.clone()), Arc::<Published>::default());
        let directory = cgcg_users::Directory::new(time.clone(), published.clone());
        let auth = Service::new(
            db.clone(),
            time.clone(),
            settings,
            keys,
            Arc::new(directory.clone()),
            published.clone(),
            Host {
                user_location: Some("/api/v1/users/{id}"),
                ..host
            },
        );
        let auth = auth.unwrap();
        let observers = vec![Arc::new(auth.clone()) as Arc<dyn AccountObserver>];
        let settings = cgcg_users::Settings::default();
        let users = cgcg_users::Service::new(
            db.clone(),
            time,
            settings,
            directory,
            observers,
            published.clone(),
        );
        Self {
            db,
            clock,
            published,
            auth,
            users,
            mailbox: Arc::default(),
        }
    }

    /// A second node on the same database.
    async fn second(&self) -> Self {
        let node = Self::unopened(
            self.db.clone(),
            self.clock.clone(),
            self.auth.settings().clone(),
            7,
        );
        node.auth.open(CATALOGUE).await.unwrap();
        node
    }

    async fn register(&self, email: &str) -> Registered {
        self.auth
            .register(new_account(email), &Device::default())
            .await
            .unwrap()
            .account()
            .unwrap()
    }

    async fn log_in(&self, login: &str) -> Tokens {
        self.try_log_in(login, PASSWORD).await.unwrap()
    }

    async fn try_log_in(&self, login: &str, password: &str) -> Result<Tokens, Error> {
        let credentials = Credentials {
            login: login.to_owned(),
            password: secret(password),
        };
        self.auth.login(&credentials, &Device::default()).await
    }

    /// Somebody who has just registered and logged in.
    async fn person(&self, email: &str) -> Tokens {
        self.register(email).await;
        self.log_in(email).await
    }

    async fn who(&self, tokens: &Tokens) -> Result<Arc<Principal>, Denied> {
        self.auth
            .authenticate(Credential::Bearer(tokens.access_token.expose()))
            .await
    }

    async fn admin(&self, email: &str) -> Registered {
        let new = crate::AdminCreate {
            email: email.parse().unwrap(),
            password: secret(PASSWORD),
            display_name: None,
        };
        self.auth
            .create_admin(&Principal::operator(), new)
            .await
            .unwrap()
    }

    /// From an address.
    async fn log_in_from(&self, ip: &str, login: &str, password: &str) -> Result<Tokens, Error> {
        let credentials = Credentials {
            login: login.to_owned(),
            password: secret(password),
        };
        self.auth.login(&credentials, &from(ip)).await
    }

    /// The templates in the outbox, oldest first.
    async fn waiting_mail(&self) -> Vec<String> {
        let mut conn = self.db.read().await.unwrap();
        let sql = "select template from auth_outbox order by id";
        cgcg_core::on!(&mut conn, |c| sqlx::query_scalar(sql)
            .fetch_all(c)
            .await
            .unwrap())
    }

    async fn users_id(&self, login: &str) -> cgcg_core::Id<cgcg_core::User> {
        let tokens = self.log_in(login).await;
        self.who(&tokens).await.unwrap().user().unwrap()
    }

    /// As long as a few hashes: what was started before waits for its row by then.
    async fn a_while(&self) {
        for _ in 0..2 {
            self.auth.time_hashes().await.unwrap();
        }
    }

    fn advance(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}

fn new_account(email: &str) -> AccountCreate {
    AccountCreate {
        email: email.parse().unwrap(),
        password: secret(PASSWORD),
        display_name: None,
        username: None,
    }
}

fn from(ip: &str) -> Device {
    Device {
        ip: Some(ip.parse().unwrap()),
        user_agent: Some("a browser".to_owned()),
        request_id: Some("request-1".to_owned()),
    }
}

fn secret(text: &str) -> Secret<String> {
    Secret::new(text.to_owned())
}

fn keys(seed: u8) -> FeatureKeys {
    let bytes = std::array::from_fn(|at| seed.wrapping_add(u8::try_from(at).unwrap()));
    FeatureKeys {
        current: MasterKey::new(bytes).unwrap().derive("auth").unwrap(),
        previous: None,
    }
}

/// Keeps topics in the order in which they were published, committed or not.
#[derive(Default)]
struct Published(Mutex<Vec<String>>);

impl Published {
    fn count(&self, topic: &str) -> usize {
        self.0
            .lock()
            .unwrap()
            .iter()
            .filter(|published| *published == topic)
            .count()
    }
}

impl Publisher for Published {
    fn publish_message<'a>(
        &'a self,
        topic: &'a str,
        _: Value,
    ) -> BoxFuture<'a, Result<(), SeamError>> {
        self.0.lock().unwrap().push(topic.to_owned());
        Box::pin(async { Ok(()) })
    }

    fn publish_in<'a>(
        &'a self,
        _: &'a mut Conn,
        messages: Vec<NewMessage>,
    ) -> BoxFuture<'a, Result<(), SeamError>> {
        self.0.lock().unwrap().extend(
            messages
                .into_iter()
                .map(|message| message.topic.into_owned()),
        );
        Box::pin(async { Ok(()) })
    }
}
