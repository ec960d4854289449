use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev};
use serde::de::DeserializeOwned;

use super::rejected;
use crate::Problem;

/// The variable parts of the path. What does not fit `T` is 422 with its place: `["path", "id"]`.
#[derive(Debug)]
pub struct Path<T>(pub T);

impl<T: DeserializeOwned> FromRequest for Path<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let info = request.match_info();
        ready(info.load().map(Self).map_err(|wrong| {
            // The deserialiser of paths does not say which part it was. One part is the common case.
            let place: Vec<String> = info
                .iter()
                .map(|(name, _)| name.to_owned())
                .take(1)
                .collect();
            rejected::field("path", &place, &wrong.to_string())
        }))
    }
}
