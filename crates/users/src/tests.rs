mod change;
mod directory;
mod list;
#[cfg(feature = "router")]
mod router;
mod schemas;

use std::sync::{Arc, Mutex};

use cgcg_core::{
    AccountChange, AccountObserver, AccountStatus, BoxFuture, Conn, Db, NewAccount, NewMessage,
    ObserverError, Principal, Publisher, SeamError,
};
use cgcg_testkit::TestClock;
use serde_json::Value;

use crate::{Directory, MIGRATIONS, Service, Settings, User, UserCreate, UserId, store};

/// A service with all that a test looks at from outside.
struct Bed {
    db: Db,
    clock: TestClock,
    published: Arc<Published>,
    observer: Arc<Observer>,
    directory: Directory,
    users: Service,
}

impl Bed {
    async fn new(db: Db) -> Self {
        Self::with(db, Settings::default()).await
    }

    async fn with(db: Db, settings: Settings) -> Self {
        MIGRATIONS.run(&db).await.unwrap();
        let (clock, published, observer) = (
            TestClock::default(),
            Arc::<Published>::default(),
            Arc::<Observer>::default(),
        );
        let directory = Directory::new(Arc::new(clock.clone()), published.clone());
        let (clocks, observers) = (
            Arc::new(clock.clone()),
            vec![observer.clone() as Arc<dyn AccountObserver>],
        );
        let users = Service::new(
            db.clone(),
            clocks,
            settings,
            directory.clone(),
            observers,
            published.clone(),
        );
        Self {
            db,
            clock,
            published,
            observer,
            directory,
            users,
        }
    }

    async fn create(&self, email: &str) -> User {
        self.users.create(&root(), new(email, None)).await.unwrap()
    }

    /// With `<name>@example.org`.
    async fn create_named(&self, name: &str) -> User {
        self.users
            .create(&root(), new(&format!("{name}@example.org"), Some(name)))
            .await
            .unwrap()
    }
}

/// What was published and committed.
#[derive(Default)]
struct Published(Arc<Mutex<Vec<(String, Value)>>>);

impl Published {
    fn topics(&self) -> Vec<String> {
        self.0
            .lock()
            .unwrap()
            .iter()
            .map(|(topic, _)| topic.clone())
            .collect()
    }
}

impl Publisher for Published {
    fn publish_message<'a>(&'a self, _: &'a str, _: Value) -> BoxFuture<'a, Result<(), SeamError>> {
        panic!("accounts publish in the transaction of the change")
    }

    fn publish_in<'a>(
        &'a self,
        conn: &'a mut Conn,
        messages: Vec<NewMessage>,
    ) -> BoxFuture<'a, Result<(), SeamError>> {
        let seen = self.0.clone();
        conn.on_commit(move || {
            seen.lock().unwrap().extend(
                messages
                    .into_iter()
                    .map(|new| (new.topic.into_owned(), new.payload)),
            );
        });
        Box::pin(async { Ok(()) })
    }
}

/// Remembers what it was asked, and how the row looked then. Refuses with a code that a test gives it.
#[derive(Default)]
struct Observer {
    refuses: Mutex<Option<&'static str>>,
    asked: Mutex<Vec<(AccountChange, AccountStatus, String)>>,
}

impl Observer {
    fn refuse(&self, code: &'static str) {
        *self.refuses.lock().unwrap() = Some(code);
    }

    fn asked(&self) -> Vec<AccountChange> {
        self.asked
            .lock()
            .unwrap()
            .iter()
            .map(|(change, ..)| *change)
            .collect()
    }
}

impl AccountObserver for Observer {
    fn before_change<'a>(
        &'a self,
        conn: &'a mut Conn,
        _: &'a Principal,
        id: UserId,
        change: AccountChange,
    ) -> BoxFuture<'a, Result<(), ObserverError>> {
        Box::pin(async move {
            let row = store::find(conn, id).await?.unwrap();
            self.asked
                .lock()
                .unwrap()
                .push((change, row.status, row.base.email));
            match *self.refuses.lock().unwrap() {
                Some(code) => Err(ObserverError::Refused { code }),
                None => Ok(()),
            }
        })
    }
}

fn root() -> Principal {
    Principal::operator()
}

fn new(email: &str, username: Option<&str>) -> UserCreate {
    UserCreate {
        email: email.parse().unwrap(),
        username: username.map(|name| name.parse().unwrap()),
        display_name: None,
        locale: None,
    }
}

fn account(email: &str, username: Option<&str>) -> NewAccount {
    NewAccount {
        email: email.parse().unwrap(),
        email_verified: false,
        username: username.map(|name| name.parse().unwrap()),
        display_name: None,
        locale: None,
    }
}
