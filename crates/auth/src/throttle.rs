//! What stands between a guesser and a password: calls of an address are counted in memory, failures at a name in the
//! database.

mod addresses;
mod counter;
mod settings;

pub(crate) use addresses::{Addresses, Bucket};
pub(crate) use counter::{Key, Now, network, pause};
pub use settings::ThrottleSettings;
