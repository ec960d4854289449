use cgcg_core::{Conn, Timestamp, on};

/// Removes up to `limit` answers from before `before`.
pub(crate) async fn purge(conn: &mut Conn, before: Timestamp, limit: i64) -> sqlx::Result<u64> {
    let sql = "delete from auth_idempotency
               where key in (select key from auth_idempotency where created_at < $1 limit $2)";
    Ok(on!(conn, |c| sqlx::query(sql)
        .bind(before)
        .bind(limit)
        .execute(c)
        .await?
        .rows_affected()))
}
