//! Passwords: what is admitted, how they are hashed, and the threads that do it.

mod blocklist;
mod foreign;
mod lobby;
mod owner;
mod phc;
mod policy;
mod pool;
mod queue;
mod scheme;
mod settings;
mod stored;
mod worker;

pub use blocklist::Blocklist;
pub use owner::Owner;
pub use policy::{MAX_BYTES, MAX_CHARS, Normal, Policy};
pub use pool::{Lane, Load, Overloaded, Pool, Verdict};
pub use settings::{Argon2Settings, BcryptOver72, PoolSettings};
pub use stored::Stored;

/// Whether a stored hash reads well: for the fuzz targets.
#[cfg(feature = "fuzzing")]
pub(crate) fn reads(stored: &str) -> bool {
    scheme::Scheme::parse(stored).is_some()
}

#[cfg(test)]
mod tests;
