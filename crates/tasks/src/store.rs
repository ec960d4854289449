//! Every SQL statement of this feature. A service opens and commits; nothing here does.
//!
//! The first bound value is the time, wherever a statement needs it: see [`Now`]. Each change of a state is one
//! conditional statement. No row back means that the state had moved on; it is never tried without the condition. Where
//! SQLite has one statement for the condition and one for the change, its one writer keeps others out between them.
//!
//! `state + 0` instead of `state`, beside an id: it keeps planners from the indexes of what is ready, runs or has ended.
//! With statistics of a quiet time they expect nothing there, and would walk all of it.

pub(crate) mod announce;
pub(crate) mod blob;
pub(crate) mod burden;
pub(crate) mod change;
pub(crate) mod claim;
pub(crate) mod enqueue;
pub(crate) mod key;
pub(crate) mod lane;
pub(crate) mod lease;
pub(crate) mod look;
pub(crate) mod notify;
pub(crate) mod park;
pub(crate) mod queue;
pub(crate) mod read;
#[cfg(feature = "router")]
pub(crate) mod remote;
pub(crate) mod schedule;
pub(crate) mod tend;
pub(crate) mod watch;
pub(crate) mod worker;

use cgcg_core::{Array, Clock, Conn, Engine, Timestamp, on};

/// The time for a statement. `None` on PostgreSQL in production: there the database's own clock is taken, so that all
/// processes share one.
pub(crate) type Now = Option<Timestamp>;

/// As `conn` wants it.
pub(crate) fn now(clock: &dyn Clock, conn: &Conn) -> Now {
    match conn.engine() {
        Engine::Sqlite => Some(clock.now()),
        Engine::Postgres => clock.pinned(),
    }
}

/// The time that statements see.
pub(crate) async fn time(conn: &mut Conn, now: Now) -> sqlx::Result<Timestamp> {
    let sql = "select coalesce($1, now) from task_clock";
    on!(conn, |c| sqlx::query_scalar(sql)
        .bind(now)
        .fetch_one(c)
        .await)
}

/// A batch as one JSON text, so that the statement is constant and stays prepared.
pub(crate) fn json(batch: &impl serde::Serialize) -> sqlx::Result<String> {
    serde_json::to_string(batch).map_err(|wrong| sqlx::Error::Encode(wrong.into()))
}

/// One column of a batch, for PostgreSQL.
fn column<R, T>(rows: &[R], value: impl Fn(&R) -> T) -> Array<T> {
    rows.iter().map(value).collect()
}
