//! PostgreSQL: notices for other processes.

use cgcg_core::{Array, Conn, on};

use super::column;

/// Tells all who listen to these channels.
pub(crate) async fn notify(conn: &mut Conn, notes: &[(&str, String)]) -> sqlx::Result<()> {
    let sql = "select pg_notify(n.channel, n.payload) from unnest($1::text[], $2::text[]) as n (channel, payload)";
    let channels: Array<String> = column(notes, |(channel, _)| (*channel).to_owned());
    on!(conn, |c| sqlx::query(sql)
        .bind(channels)
        .bind(column(notes, |(_, payload)| payload.clone()))
        .execute(c)
        .await
        .map(drop))
}
