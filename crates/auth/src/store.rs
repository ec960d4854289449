//! Every SQL statement of this feature. A service opens and commits; nothing here does.

pub(crate) mod api_keys;
pub(crate) mod audit;
pub(crate) mod grants;
pub(crate) mod idempotency;
pub(crate) mod keys;
pub(crate) mod one_time;
pub(crate) mod outbox;
pub(crate) mod passwords;
pub(crate) mod roles;
pub(crate) mod services;
pub(crate) mod sessions;
pub(crate) mod subjects;
pub(crate) mod throttle;

use cgcg_core::{Conn, on};
use uuid::Uuid;

/// Runs a statement whose one value is an id: most that end something are.
async fn for_id(conn: &mut Conn, sql: &'static str, id: Uuid) -> sqlx::Result<()> {
    on!(conn, |c| {
        sqlx::query(sql).bind(id).execute(c).await?;
    });
    Ok(())
}
