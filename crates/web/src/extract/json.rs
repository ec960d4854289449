use actix_web::body::BoxBody;
use actix_web::{FromRequest, HttpRequest, HttpResponse, Responder, dev};
use futures_util::future::LocalBoxFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::error::Category;

use super::{body, rejected};
use crate::Problem;

/// JSON in or out.
///
/// In: 415 for another media type, 413 over the limit, 400 `body_invalid` for what is not JSON, not UTF-8 or nested
/// deeper than 128, 422 with the place for what does not fit `T`; a list fits no `T`. Out: 200.
#[derive(Debug)]
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + 'static> FromRequest for Json<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let media_type = body::media_type(&request);
            if !is_json(&media_type) {
                return Err(body::unsupported("application/json"));
            }
            parse(&body::read_body(&request, payload).await?, &[]).map(Self)
        })
    }
}

pub(super) fn is_json(media_type: &str) -> bool {
    media_type == "application/json" || media_type.ends_with("+json")
}

/// What stands at `place` of the body.
pub(super) fn parse<T: DeserializeOwned>(bytes: &[u8], place: &[String]) -> Result<T, Problem> {
    // serde fills a struct from a list as well, by position: no name would be checked.
    if bytes.trim_ascii_start().starts_with(b"[") {
        return Err(rejected::field(
            "body",
            place,
            "invalid type: list, expected an object",
        ));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|wrong| {
        if wrong.inner().classify() == Category::Data {
            let place = [place, &rejected::place(wrong.path())].concat();
            return rejected::field("body", &place, &wrong.inner().to_string());
        }
        not_json(place, wrong.inner())
    })?;
    json.end().map_err(|wrong| not_json(place, &wrong))?;
    Ok(value)
}

fn not_json(place: &[String], wrong: &serde_json::Error) -> Problem {
    match place {
        [] => body::unreadable(format!("not JSON: {wrong}")),
        place => body::unreadable(format!("{}: not JSON: {wrong}", place.join("."))),
    }
}

impl<T: Serialize> Responder for Json<T> {
    type Body = BoxBody;

    fn respond_to(self, _: &HttpRequest) -> HttpResponse {
        HttpResponse::Ok().json(self.0)
    }
}
