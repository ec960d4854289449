#![doc = include_str!("../README.md")]

mod app;
mod both;
mod clock;
mod database;
mod server;
mod wait;

pub use app::{Answer, Running, TestApp};
pub use clock::TestClock;
pub use database::{Database, folder, postgres, postgres_url, sqlite};
pub use server::PostgresServer;
pub use wait::{eventually, run, skip};
