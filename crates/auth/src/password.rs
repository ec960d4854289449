//! Passwords: what is admitted, how they are hashed, and the threads that do it.

mod phc;
mod policy;
mod pool;
mod queue;
mod settings;
mod worker;

pub use policy::{MAX_BYTES, MAX_CHARS, Normal, Policy};
pub use pool::{Lane, Load, Overloaded, Pool, Verdict};
pub use settings::{Argon2Settings, PoolSettings};

#[cfg(test)]
mod tests;
