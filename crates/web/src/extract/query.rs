use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use cgcg_core::{Cursor, Limit, PageRequest};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use super::rejected;
use crate::Problem;

/// The query string. What does not fit `T` is 422 with its place: `["query", "limit"]`.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        ready(parse("query", request.query_string().as_bytes()).map(Self))
    }
}

pub(super) fn parse<T: DeserializeOwned>(part: &str, text: &[u8]) -> Result<T, Problem> {
    let pairs = serde_urlencoded::Deserializer::new(form_urlencoded::parse(text));
    serde_path_to_error::deserialize(pairs).map_err(|wrong| {
        rejected::field(
            part,
            &rejected::place(wrong.path()),
            &wrong.inner().to_string(),
        )
    })
}

/// Which page of a list, for lists without filters.
#[derive(Debug, Clone, Copy, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// At most so many items.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200, default = 50)]
    pub limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    pub cursor: Option<Cursor>,
}

impl From<ListQuery> for PageRequest {
    fn from(query: ListQuery) -> Self {
        Self {
            limit: query.limit,
            cursor: query.cursor,
        }
    }
}
