use std::future::{Ready, ready};

use actix_web::http::header::{ETAG, HeaderName, HeaderValue, IF_MATCH};
use actix_web::{FromRequest, HttpRequest, dev};

use crate::Problem;

/// The `ETag` of a row: its version.
pub fn etag(version: i64) -> (HeaderName, HeaderValue) {
    let value = HeaderValue::from_str(&format!("\"{version}\""));
    (
        ETAG,
        value.unwrap_or_else(|_| HeaderValue::from_static("\"\"")),
    )
}

/// Which version the client means to change. Source: RFC 9110, section 13.1.1.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IfMatch(Option<Vec<i64>>);

impl IfMatch {
    /// The one version that was named, for a store that compares it; `None` fits any. A list of several, which no
    /// client of ours sends, counts as its first.
    pub fn version(&self) -> Option<i64> {
        // A tag that is not ours fits no row.
        self.0
            .as_ref()
            .map(|versions| versions.first().copied().unwrap_or(-1))
    }
}

impl FromRequest for IfMatch {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let mut values = request.headers().get_all(IF_MATCH).peekable();
        if values.peek().is_none() {
            return ready(Ok(Self(None)));
        }
        let tags: Vec<&str> = values
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .collect();
        if tags.iter().any(|tag| tag.trim() == "*") {
            return ready(Ok(Self(None)));
        }
        // Weak tags never match here: `If-Match` compares strongly.
        let version = |tag: &&str| {
            tag.trim()
                .strip_prefix('"')?
                .strip_suffix('"')?
                .parse()
                .ok()
        };
        ready(Ok(Self(Some(tags.iter().filter_map(version).collect()))))
    }
}
