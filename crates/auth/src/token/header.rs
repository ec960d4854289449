use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::keyring::ALGORITHM;

/// The media type of an access token (RFC 9068), in the short form that we write.
const TYPE: &str = "at+jwt";

/// All that a header may say. `crit`, `b64`, `jwk`, `jku`, `x5u`, `x5c` and whatever comes next are refused.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Header<'a> {
    #[serde(borrow)]
    pub(super) alg: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) kid: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) typ: Cow<'a, str>,
}

impl<'a> Header<'a> {
    /// The header of a token signed by the key `kid`.
    pub(super) fn new(kid: &'a str) -> Self {
        Self {
            alg: ALGORITHM.into(),
            kid: kid.into(),
            typ: TYPE.into(),
        }
    }

    /// From the JSON of a token; `None` where anything is missing, repeated, unknown or of another type.
    pub(super) fn parse(json: &'a [u8]) -> Option<Self> {
        // serde's derive would take an array for a struct as well.
        json.starts_with(b"{")
            .then(|| serde_json::from_slice(json).ok())
            .flatten()
    }

    /// Whether it says that it is an access token; other kinds of tokens must not pass as one.
    pub(super) fn is_access_token(&self) -> bool {
        let short = match self.typ.split_at_checked("application/".len()) {
            Some((prefix, rest)) if prefix.eq_ignore_ascii_case("application/") => rest,
            _ => &self.typ,
        };
        short.eq_ignore_ascii_case(TYPE)
    }
}
