#![doc = include_str!("../README.md")]
#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(
        unused,
        unreachable_code,
        reason = "without a driver there is no connection to do anything with"
    )
)]

mod account;
mod authenticator;
mod clock;
mod coalescer;
mod db;
mod display_name;
mod email;
mod grants;
mod health;
mod id;
mod invalid;
#[cfg(feature = "keys")]
mod keys;
mod locale;
mod meta;
mod migrations;
pub mod nullable;
mod page;
mod principal;
mod publisher;
mod scopes;
mod seam;
mod secret;
mod single_flight;
mod size;
mod span;
mod static_tokens;
mod task_queue;
mod timestamp;
mod topic;
mod worker;

pub use account::{
    Account, AccountChange, AccountObserver, AccountStatus, DirectoryError, NewAccount,
    ObserverError, UserDirectory,
};
pub use authenticator::{Authenticator, Credential, Denied, NoAuthenticator};
pub use clock::{Clock, SystemClock};
pub use coalescer::Coalescer;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub use db::Scratch;
pub use db::{Array, Batch, Conn, Db, DbFacts, DbSettings, Engine, GroupError, Joined, Trouble};
#[doc(hidden)]
pub use db::{Lease, OpenError};
pub use db::{Listener, Notice};
pub use display_name::DisplayName;
pub use email::{Email, Login, Username};
pub use grants::Grants;
pub use health::Health;
pub use id::{ApiKey, Id, ServiceAccount, Session, Task, Tenant, User};
pub use invalid::Invalid;
#[cfg(feature = "keys")]
pub use keys::{FeatureKey, FeatureKeys, KeyError, MasterKey, Sealed};
pub use locale::Locale;
pub use meta::Meta;
pub use migrations::{Migrations, SchemaState, Step};
pub use page::{Cursor, Limit, Page, PageRequest};
pub use principal::{Principal, Proof, Subject};
pub use publisher::{NewMessage, NoPublisher, Publisher};
pub use scopes::{ScopeInfo, ScopeSpec};
pub use seam::{BoxError, BoxFuture, SeamError};
pub use secret::Secret;
pub use single_flight::SingleFlight;
pub use size::Size;
pub use span::Span;
pub use static_tokens::{StaticToken, StaticTokens, StaticTokensError};
pub use task_queue::{NewTask, TaskFailure, TaskQueue, TaskState, TaskStatus};
pub use timestamp::Timestamp;
pub use topic::TopicSpec;
pub use worker::{Runs, Worker};

/// The table of facts that belong to the whole database; see [`Meta`].
pub static MIGRATIONS: Migrations = Migrations {
    ledger: "_migrations_core",
    steps: &[Step {
        version: 1,
        name: "init",
        sqlite: include_str!("../migrations/0001_init.sqlite.sql"),
        postgres: include_str!("../migrations/0001_init.postgres.sql"),
    }],
};
