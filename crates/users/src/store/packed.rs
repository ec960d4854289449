//! Many rows of SQLite as one value.
//!
//! sqlx hands every value of every row from SQLite's thread to the caller's. A page of 50 accounts is 600 of them;
//! as one JSON text it is one, and a list costs a tenth.

use cgcg_core::{AccountStatus, Timestamp};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use crate::schemas::{UserBase, UserInDb};
use crate::{JsonObject, UserId};

/// As `select!`, with all rows in one text for [`unpack`]. The rest of the statement has to end in a limit where its
/// order matters: SQLite keeps the order of a subquery only then.
macro_rules! packed {
    ($($rest:literal),+) => {
        concat!(
            "select json_group_array(json_array(hex(id), email, email_verified_at, username, display_name, locale, \
             status, profile, app_data, version, created_at, updated_at)) from (",
            $crate::store::select!($($rest),+),
            ")"
        )
    };
}
pub(super) use packed;

/// The columns in the order of `packed!`.
#[derive(Deserialize)]
struct Packed(
    Uuid,
    String,
    Option<i64>,
    Option<String>,
    Option<String>,
    Option<String>,
    AccountStatus,
    String,
    String,
    i64,
    i64,
    i64,
);

/// The rows of a `packed!` statement.
pub(super) fn unpack(text: &str) -> sqlx::Result<Vec<UserInDb>> {
    let rows: Vec<Packed> =
        serde_json::from_str(text).map_err(|wrong| sqlx::Error::Decode(wrong.into()))?;
    rows.into_iter().map(UserInDb::try_from).collect()
}

impl TryFrom<Packed> for UserInDb {
    type Error = sqlx::Error;

    fn try_from(row: Packed) -> sqlx::Result<Self> {
        Ok(Self {
            id: UserId::from_uuid(row.0),
            base: UserBase {
                email: row.1,
                username: row.3,
                display_name: row.4,
                locale: row.5,
            },
            email_verified_at: row.2.map(Timestamp::from_micros),
            status: row.6,
            profile: json(row.7)?,
            app_data: json(row.8)?,
            version: row.9,
            created_at: Timestamp::from_micros(row.10),
            updated_at: Timestamp::from_micros(row.11),
        })
    }
}

/// It comes as text: SQLite would read and write it anew to put it into the other JSON as it is.
fn json(text: String) -> sqlx::Result<JsonObject> {
    let raw = RawValue::from_string(text).map_err(|wrong| sqlx::Error::Decode(wrong.into()))?;
    Ok(raw.into())
}
