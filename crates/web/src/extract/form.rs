use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::future::LocalBoxFuture;
use serde::de::DeserializeOwned;

use super::{body, query};
use crate::Problem;

/// A body of `application/x-www-form-urlencoded`. Fails as [`crate::Json`] does.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Form<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            const FORM: &str = "application/x-www-form-urlencoded";
            if body::media_type(&request) != FORM {
                return Err(body::unsupported(FORM));
            }
            query::parse("body", &body::read_body(&request, payload).await?).map(Self)
        })
    }
}
