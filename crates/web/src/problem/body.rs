use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A failure, as RFC 9457 has it. `code` is what programs act on; `detail` is for people.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemBody<'a> {
    /// Always `about:blank`: `code` tells more.
    #[serde(rename = "type")]
    pub kind: &'static str,
    /// The words of the status.
    pub title: &'static str,
    /// The status again.
    pub status: u16,
    /// What went wrong, for people.
    pub detail: &'a str,
    /// What went wrong, for programs. Never changes its meaning.
    pub code: &'static str,
    /// The `x-request-id` of the answer; the log has it too.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_id: Option<&'a str>,
    /// Which fields are wrong, where that is the trouble.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schema(required = false)]
    pub errors: &'a [FieldError],
    #[serde(flatten)]
    #[schema(ignore)]
    pub(super) members: BTreeMap<&'static str, &'a Value>,
}

/// One wrong field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct FieldError {
    /// Where: `["body", "email"]`, `["query", "limit"]`, `["path", "id"]`.
    pub loc: Vec<String>,
    /// What: `unknown_field`, `missing_field`, `wrong_type`, `out_of_range`, or a code of the feature.
    pub code: String,
    /// For people.
    pub detail: String,
}

impl FieldError {
    /// Dotted, without the part of the request.
    pub(super) fn place(&self) -> String {
        match self.loc.get(1..) {
            Some(place) if !place.is_empty() => place.join("."),
            _ => self.loc.join("."),
        }
    }
}
