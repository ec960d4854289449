use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::{HttpMessage, HttpRequest};
use cgcg_core::{Id, Timestamp};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// The id of a request, in its extensions.
#[derive(Clone)]
pub(crate) struct RequestId(pub(crate) HeaderValue);

/// Marks ids of requests.
enum Request {}

impl RequestId {
    /// The one that the client or a proxy sent, where it is 8 to 64 of `[A-Za-z0-9_.-]`; else a fresh one.
    pub(crate) fn of(request: &HttpRequest, now: Timestamp) -> Self {
        let fit = |value: &&HeaderValue| {
            (8..=64).contains(&value.len())
                && value
                    .as_bytes()
                    .iter()
                    .all(|byte| byte.is_ascii_alphanumeric() || b"_.-".contains(byte))
        };
        if let Some(inbound) = request.headers().get(REQUEST_ID).filter(fit) {
            return Self(inbound.clone());
        }
        Self::fresh(now)
    }

    pub(crate) fn fresh(now: Timestamp) -> Self {
        let fresh = Id::<Request>::new(now).uuid();
        let mut text = [0; 32];
        let text = fresh.simple().encode_lower(&mut text);
        Self(HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static("unknown")))
    }

    pub(crate) fn as_str(&self) -> &str {
        self.0.to_str().unwrap_or_default()
    }
}

/// The id of this request, as the answer and the log have it; empty where [`crate::pass`] is not wrapped around it.
pub fn request_id(request: &HttpRequest) -> String {
    let extensions = request.extensions();
    extensions
        .get::<RequestId>()
        .map(|id| id.as_str().to_owned())
        .unwrap_or_default()
}
