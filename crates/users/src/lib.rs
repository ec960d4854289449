#![doc = include_str!("../README.md")]

mod directory;
mod error;
mod message;
#[cfg(feature = "router")]
mod router;
mod schemas;
pub mod scopes;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod tests;

pub use directory::Directory;
pub use error::Error;
pub use message::TOPICS;
pub use schemas::{
    DisplayName, JsonObject, Locale, Me, MeUpdate, NamePrefix, Order, User, UserBase, UserCreate,
    UserFilter, UserId, UserUpdate,
};
pub use service::Service;
pub use settings::{Settings, Usernames};

use cgcg_core::{Migrations, Step};

/// The table of this feature.
pub static MIGRATIONS: Migrations = Migrations {
    ledger: "_migrations_users",
    steps: &[Step {
        version: 1,
        name: "init",
        sqlite: include_str!("../migrations/0001_init.sqlite.sql"),
        postgres: include_str!("../migrations/0001_init.postgres.sql"),
    }],
};
