use actix_web::{FromRequest, HttpRequest, dev};
use futures_util::future::LocalBoxFuture;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{body, json};
use crate::Problem;

/// Many items in one request: JSON `{ "items": [...] }`, or NDJSON (`application/x-ndjson`), one item on each line. Blank
/// lines are none.
///
/// 415 for another media type, 413 over the limit, 400 `body_invalid`, 422 with the place, `["body", "items", "3", …]`
/// in both, for what does not fit `T`. How many there may be is for the route to say.
#[derive(Debug)]
pub struct Items<T>(pub Vec<T>);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body<T> {
    items: Vec<T>,
}

impl<T: DeserializeOwned + 'static> FromRequest for Items<T> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, payload: &mut dev::Payload) -> Self::Future {
        let (request, payload) = (request.clone(), payload.take());
        Box::pin(async move {
            let media_type = body::media_type(&request);
            let by_line = media_type == "application/x-ndjson";
            if !by_line && !json::is_json(&media_type) {
                return Err(body::unsupported(
                    "application/json or application/x-ndjson",
                ));
            }
            let bytes = body::read_body(&request, payload).await?;
            let items = match by_line {
                true => lines(&bytes)?,
                false => json::parse::<Body<T>>(&bytes, &[])?.items,
            };
            Ok(Self(items))
        })
    }
}

fn lines<T: DeserializeOwned>(bytes: &[u8]) -> Result<Vec<T>, Problem> {
    let lines = bytes.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii);
    let lines = lines.filter(|line| !line.is_empty());
    let item =
        |(place, line): (usize, &[u8])| json::parse(line, &["items".to_owned(), place.to_string()]);
    lines.enumerate().map(item).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Point {
        x: i64,
    }

    #[test]
    fn each_line_is_an_item_and_a_blank_one_is_none() {
        let text = b"{\"x\":1}\r\n\n  \n{ \"x\" : 2 }";
        assert_eq!(
            lines::<Point>(text).unwrap(),
            [Point { x: 1 }, Point { x: 2 }]
        );
        assert!(lines::<Point>(b"\n").unwrap().is_empty());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, code, detail) in [
            (
                "{\"x\":1}\n{\"x\":\"2\"}",
                "validation_failed",
                "items.1.x: invalid type",
            ),
            (
                "{\"x\":1}\n{\"x\":1,\"y\":2}",
                "validation_failed",
                "items.1.y: unknown field",
            ),
            ("\n[1]", "validation_failed", "items.0: invalid type: list"),
            ("{\"x\":1} {\"x\":2}", "body_invalid", "items.0: not JSON"),
            ("{\"x\":", "body_invalid", "items.0: not JSON"),
        ] {
            let problem = lines::<Point>(text.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), code, "{text}");
            assert!(problem.detail().starts_with(detail), "{}", problem.detail());
        }
    }
}
