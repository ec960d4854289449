use cgcg_core::{DisplayName, Id, Session, Timestamp};
use serde::{Deserialize, Deserializer, Serialize};

use crate::store::sessions::ScopeLimit;

/// A login on a device, as its owner sees it. It holds no token.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema), schema(as = Session))]
pub struct SessionInfo {
    /// Its id.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub id: Id<Session>,
    /// What its owner calls it.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub label: Option<String>,
    /// Whether it is the one of this request.
    pub current: bool,
    /// The address of the login.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub ip: Option<String>,
    /// What the client of the login said it is.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub user_agent: Option<String>,
    /// The login.
    pub created_at: Timestamp,
    /// Last use, to a minute.
    pub last_seen_at: Timestamp,
    /// When its owner last gave proof of who they are.
    pub logged_in_at: Timestamp,
    /// It ends then, unless it is refreshed before.
    pub idle_expires_at: Timestamp,
    /// It ends then at the latest.
    pub expires_at: Timestamp,
    /// How its owner gave proof (RFC 8176): `pwd`.
    pub methods: Vec<String>,
    /// What it may do at most, where it was narrowed at login.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub scopes: Option<Vec<String>>,
}

/// What can be changed of a session. What is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct SessionUpdate {
    /// What its owner calls it: 1 to 100 characters on one line; `null` clears it.
    #[serde(default, deserialize_with = "clears")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 1, max_length = 100))]
    pub label: Option<Option<DisplayName>>,
}

/// A session as it is stored, without what its tokens are made of; see [`SessionInfo`].
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct SessionRow {
    pub(crate) id: Id<Session>,
    label: Option<String>,
    ip: Option<String>,
    user_agent: Option<String>,
    pub(crate) created_at: Timestamp,
    last_seen_at: Timestamp,
    logged_in_at: Timestamp,
    idle_expires_at: Timestamp,
    expires_at: Timestamp,
    methods: String,
    scope_limit: Option<ScopeLimit>,
}

impl SessionRow {
    pub(crate) fn seen_from(self, current: Option<Id<Session>>) -> SessionInfo {
        SessionInfo {
            current: current == Some(self.id),
            id: self.id,
            label: self.label,
            ip: self.ip,
            user_agent: self.user_agent,
            created_at: self.created_at,
            last_seen_at: self.last_seen_at,
            logged_in_at: self.logged_in_at,
            idle_expires_at: self.idle_expires_at,
            expires_at: self.expires_at,
            methods: self.methods.split(' ').map(str::to_owned).collect(),
            scopes: self.scope_limit.map(|limit| limit.0),
        }
    }
}

/// Present, and `null` clears: a plain `Option` cannot tell an absent field from `null`.
fn clears<'de, D, T>(deserializer: D) -> Result<Option<Option<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Option::deserialize(deserializer).map(Some)
}
