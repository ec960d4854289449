use cgcg_core::{Cursor, Grants, Id, Timestamp, nullable};
use serde::{Deserialize, Serialize};

use super::name::{About, Name};

/// Names one role.
pub type RoleId = Id<Role>;

/// A named set of scopes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Role {
    /// Never used again.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "uuid"))]
    pub id: RoleId,
    /// Stays as long as the role does: tokens and settings hold it.
    pub name: String,
    /// What it is for.
    pub about: String,
    /// `admin` and `user`: the code says what they may do.
    pub builtin: bool,
    /// In alphabetical order; `*` has them all.
    pub scopes: Vec<String>,
    /// Rises with each change. The `ETag` over HTTP.
    pub version: i64,
}

/// A new role.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct RoleCreate {
    /// 2 to 64 of `a-z 0-9 _ . -`.
    #[cfg_attr(feature = "router", schema(value_type = String, pattern = "^[a-z0-9][a-z0-9_.-]{1,63}$", example = "support"))]
    pub name: Name,
    /// What it is for.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, max_length = 500))]
    pub about: About,
    /// What whoever has the role may do: names of `GET /auth/scopes`, or `*`.
    #[cfg_attr(feature = "router", schema(max_items = 200, example = json!(["users:read"])))]
    pub scopes: Vec<String>,
}

/// What changes of a role. What is absent stays.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct RoleUpdate {
    /// What it is for.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = String, required = false, max_length = 500))]
    pub about: Option<About>,
    /// Replaces all of them.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = Vec<String>, required = false, max_items = 200))]
    pub scopes: Option<Vec<String>>,
}

/// A right that code asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Scope {
    /// `feature:verb`.
    pub name: String,
    /// One line for people; empty where it is unknown.
    pub about: String,
    /// Built-in roles that have it, beside `admin`.
    pub roles: Vec<String>,
    /// Some role has it, but no feature of this build asks for it.
    pub unknown: bool,
}

/// Which roles somebody is to have.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct RolesUpdate {
    /// Names of roles; all others are taken away.
    #[cfg_attr(feature = "router", schema(value_type = Vec<String>, max_items = 32, example = json!(["user"])))]
    pub roles: Vec<Name>,
}

/// What somebody may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct SubjectRoles {
    /// Names of roles, in alphabetical order.
    pub roles: Vec<String>,
    /// All scopes of these roles, in alphabetical order.
    pub scopes: Vec<String>,
}

/// The row, with its scopes as one text parted by blanks.
#[derive(Debug, Clone, sqlx::FromRow)]
pub(crate) struct RoleInDb {
    pub(crate) id: RoleId,
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) builtin: bool,
    pub(crate) version: i64,
    scopes: Option<String>,
}

impl RoleInDb {
    pub(crate) fn grants(&self) -> Grants {
        self.scopes
            .iter()
            .flat_map(|scopes| scopes.split(' '))
            .collect()
    }

    /// Roles have no time: their ids sort by it.
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            at: Timestamp::default(),
            id: self.id.uuid(),
        }
    }
}

impl From<RoleInDb> for Role {
    fn from(row: RoleInDb) -> Self {
        Self {
            id: row.id,
            scopes: row.grants().iter().map(str::to_owned).collect(),
            name: row.name,
            about: row.about,
            builtin: row.builtin,
            version: row.version,
        }
    }
}
