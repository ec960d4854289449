//! End to end, against the real program.
#![expect(clippy::unwrap_used, reason = "a test ends where it fails")]

#[cfg(feature = "auth")]
mod access;
mod assembly;
#[cfg(feature = "auth")]
mod auth;
#[cfg(feature = "auth")]
mod bad_input;
#[cfg(feature = "auth")]
mod crash;
#[cfg(feature = "auth")]
mod doctor;
#[cfg(feature = "auth")]
mod first_start;
#[cfg(feature = "auth")]
mod flood;
#[cfg(feature = "auth")]
mod import;
#[cfg(feature = "auth")]
mod keys;
#[cfg(feature = "auth")]
mod mail;
#[cfg(all(feature = "auth", feature = "postgres"))]
mod nodes;
#[cfg(feature = "auth")]
mod openapi;
#[cfg(feature = "auth")]
mod refresh;
#[cfg(feature = "auth")]
mod rights;
#[cfg(feature = "auth")]
mod secrets;
mod server;
mod settings;
#[cfg_attr(
    not(feature = "auth"),
    expect(unused, reason = "most tests are about accounts")
)]
mod support;
#[cfg(all(feature = "auth", feature = "tasks"))]
mod tasks;
#[cfg(feature = "auth")]
mod throttle;
#[cfg(feature = "auth")]
mod tour;
#[cfg(feature = "auth")]
mod users;
