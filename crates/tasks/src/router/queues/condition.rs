use actix_web::HttpRequest;
use actix_web::http::StatusCode;
use actix_web::http::header::{IF_MATCH, IF_NONE_MATCH};
use cgcg_web::{IfMatch, Problem};

/// Which version a change is meant for. Two who change the same limits would undo each other's.
pub(crate) enum Condition {
    /// The one that was read; 0 for what is not there yet.
    Version(i64),
    /// Whatever stands there.
    Any,
}

impl Condition {
    /// # Errors
    /// 428 `if_match_required` where the request says neither `If-Match` nor `If-None-Match: *`.
    pub(crate) fn of(request: &HttpRequest, if_match: &IfMatch) -> Result<Self, Problem> {
        let headers = request.headers();
        if headers.get(IF_NONE_MATCH).is_some_and(|value| value == "*") {
            return Ok(Self::Version(0));
        }
        if !headers.contains_key(IF_MATCH) {
            let detail =
                "give the ETag that you have read as If-Match, or If-None-Match: * for a new one";
            let status = StatusCode::PRECONDITION_REQUIRED;
            return Err(Problem::new(status, "if_match_required", detail));
        }
        Ok(if_match.version().map_or(Self::Any, Self::Version))
    }

    pub(crate) const fn version(&self) -> Option<i64> {
        match self {
            Self::Version(version) => Some(*version),
            Self::Any => None,
        }
    }
}
