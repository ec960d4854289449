use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use serde::de::DeserializeOwned;

use super::rejected;
use crate::Problem;

/// The query string. What does not fit `T` is 422 with its place: `["query", "limit"]`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(parse(request.query_string().as_bytes()).map(Self))
    }
}

fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    serde_path_to_error::deserialize(pairs).map_err(|wrong| {
        rejected::field(
            "query",
            &rejected::place(wrong.path()),
            &wrong.inner().to_string(),
        )
    })
}
