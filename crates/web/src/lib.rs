#![doc = include_str!("../README.md")]

mod bearer;
mod caller;
mod client;
mod connection;
#[cfg(feature = "docs")]
mod docs;
mod etag;
mod extract;
mod front;
mod limiter;
mod module;
mod observe;
mod openapi;
mod pass;
mod problem;
mod request_id;
mod settings;
mod unread;

pub use caller::{Caller, MaybeCaller, RequireFresh, RequireScope};
pub use client::{Proxies, client_ip};
pub use connection::Connection;
#[cfg(feature = "docs")]
pub use docs::docs;
pub use etag::{IfMatch, etag};
pub use extract::{BodyLimit, Items, Json, Path, Query, read_body};
pub use front::Front;
pub use module::Module;
pub use openapi::document;
pub use pass::pass;
pub use problem::{FieldError, Problem, ProblemBody};
pub use request_id::request_id;
pub use settings::{FrontSettings, RateLimit};
