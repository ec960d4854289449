use cgcg_core::{Conn, Id, Timestamp, on};
use sqlx::types::Json;

use crate::mail::{Letter, Outgoing};

pub(crate) async fn insert(
    conn: &mut Conn,
    id: Id<Outgoing>,
    letter: &Letter,
    now: Timestamp,
) -> sqlx::Result<()> {
    let sql = "insert into auth_outbox (id, template, address, one_time_id, data, attempts, next_try_at, created_at)
               values ($1, $2, $3, $4, $5, 0, $6, $6)";
    on!(conn, |c| {
        sqlx::query(sql)
            .bind(id)
            .bind(letter.template.as_str())
            .bind(letter.to.as_str())
            .bind(letter.link)
            .bind(Json(&letter.data))
            .bind(now)
            .execute(c)
            .await?;
    });
    Ok(())
}
