use cgcg_core::{Conn, Db, on};

/// Runs one statement.
pub(crate) async fn execute(conn: &mut Conn, sql: &'static str) -> sqlx::Result<()> {
    on!(conn, |c| sqlx::query(sql).execute(c).await.map(drop))
}

/// Runs one statement in a transaction of its own.
pub(crate) async fn commit(db: &Db, sql: &'static str) {
    let mut conn = db.begin().await.unwrap();
    execute(&mut conn, sql).await.unwrap();
    conn.commit().await.unwrap();
}

/// What `select count(*) …` answers.
pub(crate) async fn count(db: &Db, sql: &'static str) -> i64 {
    let mut conn = db.read().await.unwrap();
    on!(&mut conn, |c| sqlx::query_scalar(sql)
        .fetch_one(c)
        .await
        .unwrap())
}
