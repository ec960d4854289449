#![doc = include_str!("../README.md")]

mod audit;
mod cache;
mod error;
pub mod keyring;
mod mail;
mod message;
mod one_time;
pub mod password;
mod refresh;
#[cfg(feature = "router")]
mod router;

mod schemas;
mod service;
mod settings;
mod store;
#[cfg(test)]
mod tests;
pub mod token;
mod worker;

use cgcg_core::{Migrations, Step};

pub use error::Error;
pub use message::TOPICS;
pub use schemas::{
    AccountCreate, AdminCreate, Credentials, Device, Registered, SetupCreate, Tokens,
};
pub use service::{Host, Service};
pub use settings::{
    Passwords, Registration, RegistrationPolicy, Roles, Sessions, Settings, Tokens as TokenSettings,
};

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
