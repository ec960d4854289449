mod json;
mod text;

use cgcg_core::{AccountStatus, Cursor, Email, Grants, Id, Timestamp, Username, nullable};
use serde::{Deserialize, Serialize};

pub use cgcg_core::{DisplayName, Locale};
pub use json::JsonObject;
pub use text::NamePrefix;

/// Names one account.
pub type UserId = Id<cgcg_core::User>;

/// What every shape of an account has. Checked when it came in.
#[derive(Debug, Clone, PartialEq, Serialize, sqlx::FromRow)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct UserBase {
    /// Where mail goes: the spelling that was given, its domain in lower-case ASCII.
    #[cfg_attr(feature = "router", schema(format = "email", max_length = 254))]
    pub email: String,
    /// A second name to log in with.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub username: Option<String>,
    /// For people: 1 to 100 characters.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub display_name: Option<String>,
    /// BCP 47, as in `de-AT`.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub locale: Option<String>,
}

/// What an administrator gives to create an account.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct UserCreate {
    /// Where mail goes. Upper and lower case are one address.
    #[cfg_attr(feature = "router", schema(value_type = String, format = "email", max_length = 254))]
    pub email: Email,
    /// A second name to log in with.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9_.-]{2,31}$"))]
    pub username: Option<Username>,
    /// For people: 1 to 100 characters on one line.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 1, max_length = 100))]
    pub display_name: Option<DisplayName>,
    /// BCP 47, as in `de-AT`.
    #[serde(default)]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 2, max_length = 35))]
    pub locale: Option<Locale>,
}

/// What an administrator changes. What is absent stays; `null` clears a name or the locale and is refused elsewhere.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct UserUpdate {
    /// Where mail goes. Another spelling is another address, which nobody has verified.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = String, required = false, format = "email", max_length = 254))]
    pub email: Option<Email>,
    /// A second name to log in with.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9_.-]{2,31}$"))]
    pub username: Option<Option<Username>>,
    /// For people: 1 to 100 characters on one line.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 1, max_length = 100))]
    pub display_name: Option<Option<DisplayName>>,
    /// BCP 47, as in `de-AT`.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 2, max_length = 35))]
    pub locale: Option<Option<Locale>>,
    /// Replaces the whole of it.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = JsonObject, required = false))]
    pub profile: Option<JsonObject>,
    /// Replaces the whole of it.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = JsonObject, required = false))]
    pub app_data: Option<JsonObject>,
}

/// What people change of their own account. What is absent stays; `null` clears a name or the locale.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct MeUpdate {
    /// A second name to log in with.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, pattern = "^[a-z0-9][a-z0-9_.-]{2,31}$"))]
    pub username: Option<Option<Username>>,
    /// For people: 1 to 100 characters on one line.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 1, max_length = 100))]
    pub display_name: Option<Option<DisplayName>>,
    /// BCP 47, as in `de-AT`.
    #[serde(default, deserialize_with = "nullable::taken")]
    #[cfg_attr(feature = "router", schema(value_type = Option<String>, min_length = 2, max_length = 35))]
    pub locale: Option<Option<Locale>>,
    /// Replaces the whole of it.
    #[serde(default, deserialize_with = "nullable::refused")]
    #[cfg_attr(feature = "router", schema(value_type = JsonObject, required = false))]
    pub profile: Option<JsonObject>,
}

impl From<MeUpdate> for UserUpdate {
    fn from(change: MeUpdate) -> Self {
        Self {
            email: None,
            username: change.username,
            display_name: change.display_name,
            locale: change.locale,
            profile: change.profile,
            app_data: None,
        }
    }
}

/// An account as its owner and administrators see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct User {
    /// Never used again, also after the account is gone.
    pub id: UserId,
    /// Its fields stand beside the others.
    #[serde(flatten)]
    pub base: UserBase,
    /// When the person proved to read mail to this address.
    #[cfg_attr(feature = "router", schema(required = true))]
    pub email_verified_at: Option<Timestamp>,
    /// Whether the account may be used.
    pub status: AccountStatus,
    /// What the owner keeps here, such as preferences of a front end.
    pub profile: JsonObject,
    /// What administrators keep here. The owner can read it.
    pub app_data: JsonObject,
    /// Rises with each change, from 1. The `ETag` over HTTP.
    pub version: i64,
    /// Made at.
    pub created_at: Timestamp,
    /// Last changed at.
    pub updated_at: Timestamp,
}

/// One's own account, and what one may do.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub struct Me {
    /// Its fields stand beside `scopes`.
    #[serde(flatten)]
    pub user: User,
    /// The caller's effective scopes in alphabetical order; `*` has them all.
    pub scopes: Vec<String>,
}

impl Me {
    /// An account seen by its owner, who has these grants.
    pub fn new(user: User, grants: &Grants) -> Self {
        Self {
            user,
            scopes: grants.iter().map(str::to_owned).collect(),
        }
    }
}

/// Which accounts a list holds. All that is given must fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct UserFilter {
    /// This address, in whatever spelling.
    pub email: Option<Email>,
    /// This user name.
    pub username: Option<Username>,
    /// This status.
    pub status: Option<AccountStatus>,
    /// The e-mail or the user name begins so.
    pub q: Option<NamePrefix>,
    /// Which end comes first.
    pub order: Order,
}

/// The order of a list by time of creation.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
#[cfg_attr(feature = "router", derive(utoipa::ToSchema))]
pub enum Order {
    /// Oldest first.
    #[default]
    Oldest,
    /// Newest first.
    Newest,
}

/// The row. It goes out as a [`User`] only.
#[derive(Clone, PartialEq, sqlx::FromRow)]
pub(crate) struct UserInDb {
    pub(crate) id: UserId,
    #[sqlx(flatten)]
    pub(crate) base: UserBase,
    pub(crate) email_verified_at: Option<Timestamp>,
    #[sqlx(try_from = "String")]
    pub(crate) status: AccountStatus,
    #[sqlx(json, try_from = "Box<serde_json::value::RawValue>")]
    pub(crate) profile: JsonObject,
    #[sqlx(json, try_from = "Box<serde_json::value::RawValue>")]
    pub(crate) app_data: JsonObject,
    pub(crate) version: i64,
    pub(crate) created_at: Timestamp,
    pub(crate) updated_at: Timestamp,
}

impl UserInDb {
    pub(crate) fn cursor(&self) -> Cursor {
        Cursor {
            at: self.created_at,
            id: self.id.uuid(),
        }
    }
}

impl From<UserInDb> for User {
    fn from(row: UserInDb) -> Self {
        Self {
            id: row.id,
            base: row.base,
            email_verified_at: row.email_verified_at,
            status: row.status,
            profile: row.profile,
            app_data: row.app_data,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}
