use std::collections::BTreeSet;
use std::fmt;

use cgcg_core::{Id, Session, Span, Timestamp, User};
use serde::de::{Error, IgnoredAny, MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};

/// One access token, for `Id<AccessToken>`.
pub enum AccessToken {}

/// What an access token says (RFC 9068). Times are whole seconds since the epoch.
///
/// All members but `scope` are required. Unknown ones are let through, so that a node meets a newer one's tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claims {
    /// Who signed.
    pub iss: String,
    /// For whom.
    pub aud: String,
    /// The account.
    pub sub: Id<User>,
    /// The program that logged in; always [`Issuer::CLIENT`] by now.
    pub client_id: String,
    /// When it was signed.
    pub iat: i64,
    /// From when it is good.
    pub nbf: i64,
    /// From when it is no longer good.
    pub exp: i64,
    /// The token itself.
    pub jti: Id<AccessToken>,
    /// The session.
    pub sid: Id<Session>,
    /// When the person last gave proof.
    pub auth_time: i64,
    /// By which methods (RFC 8176).
    pub amr: Vec<String>,
    /// The subject's epoch: a token of an earlier one is stale.
    pub ver: i64,
    /// Names of roles, for services that read them; our own rights come from the database.
    pub roles: Vec<String>,
    /// Scopes parted by blanks, only where the token is narrowed.
    #[serde(
        default,
        skip_serializing_if = "Option::is_none",
        deserialize_with = "present"
    )]
    pub scope: Option<String>,
}

/// A `null` is not an absent scope: that would widen.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

/// Who signs tokens, for whom and for how long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// Claim `iss`, compared for equality.
    pub iss: String,
    /// Claim `aud`, compared for equality.
    pub aud: String,
    /// Life of a token: 1 min to 1 h.
    pub ttl: Span,
}

/// What the issuer cannot know about a new token.
#[derive(Debug, Clone)]
pub struct NewToken {
    /// The account.
    pub user: Id<User>,
    /// The session.
    pub session: Id<Session>,
    /// When the person last gave proof.
    pub logged_in_at: Timestamp,
    /// By which methods: `pwd`.
    pub methods: Vec<String>,
    /// The subject's epoch.
    pub epoch: i64,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Scopes parted by blanks, where narrowed.
    pub scope: Option<String>,
}

impl Issuer {
    /// The `client_id` of our own logins.
    pub const CLIENT: &str = "first-party";

    /// The claims of a token that is good from `now` for `ttl`.
    pub fn claims(&self, now: Timestamp, new: NewToken) -> Claims {
        let life = i64::try_from(self.ttl.get().as_secs()).unwrap_or(i64::MAX);
        let iat = now.seconds();
        Claims {
            iss: self.iss.clone(),
            aud: self.aud.clone(),
            sub: new.user,
            client_id: Self::CLIENT.to_owned(),
            iat,
            nbf: iat,
            exp: iat.saturating_add(life),
            jti: Id::new(now),
            sid: new.session,
            auth_time: new.logged_in_at.seconds(),
            amr: new.methods,
            ver: new.epoch,
            roles: new.roles,
            scope: new.scope,
        }
    }
}

impl Claims {
    /// From the JSON of a token: one object, no member twice, known or not.
    ///
    /// # Errors
    /// Whatever is missing, repeated or of another type.
    pub(super) fn parse(json: &[u8]) -> serde_json::Result<Self> {
        // serde's derive would take an array for a struct as well, and sees no repeated member that it does not know.
        serde_json::from_slice::<DistinctMembers>(json)?;
        serde_json::from_slice(json)
    }
}

struct DistinctMembers;

impl<'de> Deserialize<'de> for DistinctMembers {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Members;

        impl<'de> Visitor<'de> for Members {
            type Value = DistinctMembers;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut seen = BTreeSet::new();
                while let Some((name, IgnoredAny)) = map.next_entry::<String, _>()? {
                    if !seen.insert(name) {
                        return Err(A::Error::custom("a member stands twice"));
                    }
                }
                Ok(DistinctMembers)
            }
        }

        deserializer.deserialize_map(Members)
    }
}
