//! Facts about the whole database.

mod store;

pub use store::Meta;
