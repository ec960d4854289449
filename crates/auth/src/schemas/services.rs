use cgcg_core::{Cursor, Id, Timestamp, nullable};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::name::{About, Name};

/// Names one service account.
pub type ServiceAccountId = Id<cgcg_core::ServiceAccount>;

/// An account of a machine: roles and API keys, no password, no login.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct ServiceAccount {
    /// What other features see as the owner of what it does.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub id: ServiceAccountId,
    /// Unique among service accounts.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// Names of its roles, in alphabetical order.
    pub roles: Vec<String>,
    /// Since when it may not be used.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub disabled_at: Option<Timestamp>,
    /// Who made it: a user or a service account; `null` where that was the command line.
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, format = "uuid", required = true))]
    pub created_by: Option<Uuid>,
    /// Made at.
    pub created_at: Timestamp,
    /// Rises with each change, from 1. The `ETag` over HTTP.
    pub version: i64,
}

/// A new service account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct ServiceAccountCreate {
    /// 2 to 64 of `a-z 0-9 _ . -`, unique among service accounts.
    #[cfg_attr(feature = "router", schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_.-]{1,63}$", example = "render-farm"))]
    pub name: Name,
    /// What it is for.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, max_length = 500))]
    pub about: About,
    /// Names of roles that it gets.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Vec<String>, required = false, max_items = 32))]
    pub roles: Vec<Name>,
}

/// What changes of a service account. What is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct ServiceAccountUpdate {
    /// 2 to 64 of `a-z 0-9 _ . -`, unique among service accounts.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = String, required = false, pattern = "^[a-z0-9][a-z0-9_.-]{1,63}$"))]
    pub name: Option<Name>,
    /// What it is for.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = String, required = false, max_length = 500))]
    pub about: Option<About>,
    /// `true` ends its API keys for good; `false` lets it have new ones.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = bool, required = false))]
    pub disabled: Option<bool>,
}

/// The row, with its roles as one text parted by blanks.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct ServiceAccountInDb {
    pub(crate) id: ServiceAccountId,
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) disabled_at: Option<Timestamp>,
    pub(crate) created_by: Option<Uuid>,
    pub(crate) created_at: Timestamp,
    pub(crate) version: i64,
    pub(crate) roles: Option<String>,
}

impl ServiceAccountInDb {
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            at: self.created_at,
            id: self.id.uuid(),
        }
    }
}

impl From<ServiceAccountInDb> for ServiceAccount {
    fn from(row: ServiceAccountInDb) -> Self {
        let names = row.roles.iter().flat_map(|names| names.split(' '));
        let mut roles: Vec<String> = names.map(str::to_owned).collect();
        roles.sort_unstable();
        Self {
            id: row.id,
            name: row.name,
            about: row.about,
            roles,
            disabled_at: row.disabled_at,
            created_by: row.created_by,
            created_at: row.created_at,
            version: row.version,
        }
    }
}
