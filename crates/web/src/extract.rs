//! Extractors whose failures are problems.

mod body;
mod form;
mod json;
mod path;
mod query;
mod rejected;

pub use body::{BodyLimit, read_body};
pub use form::Form;
pub use json::Json;
pub use path::Path;
pub use query::{ListQuery, Query};
