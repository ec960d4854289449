//! Extractors whose failures are problems.

mod body;
mod json;
mod path;
mod query;
mod rejected;

pub use body::{BodyLimit, read_body};
pub use json::Json;
pub use path::Path;
pub use query::Query;
