//! Extractors whose failures are problems.

mod body;
mod items;
mod json;
mod path;
mod query;
mod rejected;

pub use body::{BodyLimit, read_body};
pub use items::Items;
pub use json::Json;
pub use path::Path;
pub use query::Query;
