use cgcg_core::{Conn, Id, Timestamp, on};
use sqlx::types::Json;

use crate::audit::{Audit, Entry};

pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<Audit>,
    at: Timestamp,
    entry: &Entry,
) -> sqlx::Result<()> {
    let sql = "insert into auth_audit (id, at, action, outcome, actor_id, subject_id, session_id, ip, user_agent,
                 request_id, detail)
               values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
    let device = &entry.device;
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(at)
            .bind(entry.action)
            .bind(entry.outcome)
            .bind(entry.actor)
            .bind(entry.subject)
            .bind(entry.session)
            .bind(device.ip.map(|ip| ip.to_string()))
            .bind(device.user_agent())
            .bind(device.request_id.as_deref())
            .bind(Json(&entry.detail))
            .execute(c)
            .await?;
    });
    Ok(())
}
