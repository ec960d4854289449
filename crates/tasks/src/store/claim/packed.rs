use cgcg_core::Timestamp;
use serde::Deserialize;
use uuid::Uuid;

use super::Claimed;
use crate::TaskId;

/// The columns in their order.
#[derive(Deserialize)]
struct Packed(
    i64,
    Uuid,
    String,
    i16,
    i64,
    Option<i64>,
    i32,
    i32,
    i64,
    i64,
    Option<String>,
    Option<String>,
    Option<String>,
);

/// The tasks of a claim of SQLite.
pub(super) fn unpack(text: &str) -> sqlx::Result<Vec<Claimed>> {
    let rows: Vec<Packed> =
        serde_json::from_str(text).map_err(|wrong| sqlx::Error::Decode(wrong.into()))?;
    Ok(rows.into_iter().map(Claimed::from).collect())
}

impl From<Packed> for Claimed {
    fn from(row: Packed) -> Self {
        Self {
            seq: row.0,
            id: TaskId::from_uuid(row.1),
            name: row.2,
            priority: row.3,
            run_at: Timestamp::from_micros(row.4),
            tick_at: row.5.map(Timestamp::from_micros),
            attempt: row.6,
            max_attempts: row.7,
            lease: row.8,
            timeout_us: row.9,
            payload: row.10.map(String::into_bytes),
            conc_key: row.11,
            trace: row.12,
        }
    }
}
