use cgcg_core::{Cursor, DisplayName, Id, Secret, Timestamp, nullable};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::expose;
use crate::store::api_keys::KeyScopes;

/// Names one API key.
pub type ApiKeyId = Id<cgcg_core::ApiKey>;

/// A key as its owner sees it, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct ApiKey {
    /// Not secret.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub id: ApiKeyId,
    /// For people.
    pub name: String,
    /// The four letters behind `cgk1_`.
    pub hint: String,
    /// What it may do at most, in alphabetical order. It never may do what its owner may not do now.
    pub scopes: Vec<String>,
    /// Who made it; `null` where that was the command line.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, format = "uuid", required = true))]
    pub created_by: Option<Uuid>,
    /// Made at.
    pub created_at: Timestamp,
    /// Does not work from then on; `null` for never.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub expires_at: Option<Timestamp>,
    /// Last used at, to a minute or two.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub last_used_at: Option<Timestamp>,
}

/// A new key.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct ApiKeyCreate {
    /// For people: 1 to 100 characters on one line.
    #[cfg_attr(feature = "router", schema(value_type = String, min_length = 1, max_length = 100, example = "nightly backup"))]
    pub name: DisplayName,
    /// What it may do at most: 1 to 200 scopes that you have, or `*`.
    #[cfg_attr(feature = "router", schema(min_items = 1, max_items = 200, example = json!(["users:read"])))]
    pub scopes: Vec<String>,
    /// By default in 90 days, at most in 366; `null`, for never, only where the settings allow it.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<Timestamp>, required = false))]
    pub expires_at: Option<Option<Timestamp>>,
}

/// A key that was just made. `Debug` does not show it.
#[derive(Debug, Clone, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct ApiKeyCreated {
    /// Shown this once, as `Authorization: Bearer …`: `cgk1_[0-9A-Za-z]{33}`.
    #[serde(serialize_with = "expose")]
    #[cfg_attr(feature = "router", schema(value_type = String))]
    pub key: Secret<String>,
    /// Its fields stand beside `key`.
    #[serde(flatten)]
    pub api_key: ApiKey,
}

/// The row, without the hash of the key.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct ApiKeyInDb {
    pub(crate) id: ApiKeyId,
    /// A user or a service account.
    pub(crate) owner_id: Uuid,
    pub(crate) name: String,
    pub(crate) hint: String,
    pub(crate) key_scopes: KeyScopes,
    pub(crate) created_by: Option<Uuid>,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) last_used_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

impl ApiKeyInDb {
    pub(crate) fn ends_at(&self) -> Timestamp {
        self.expires_at.unwrap_or(Timestamp::MAX)
    }

    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            at: self.created_at,
            id: self.id.uuid(),
        }
    }
}

impl From<ApiKeyInDb> for ApiKey {
    fn from(row: ApiKeyInDb) -> Self {
        Self {
            id: row.id,
            name: row.name,
            hint: row.hint,
            scopes: row.key_scopes.0,
            created_by: row.created_by,
            created_at: row.created_at,
            expires_at: row.expires_at,
            last_used_at: row.last_used_at,
        }
    }
}
