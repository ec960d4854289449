use cgcg_core::{Db, Engine, Notice, on};
use cgcg_testkit::both;

use crate::support::commit;

const TABLE: &str = "create table notes (body text not null)";
const INSERT: &str = "insert into notes (body) values ('a')";

both! {
    async fn a_listener_hears_what_is_notified_once_it_is_committed(db: Db) {
        let Some(mut listener) = db.listen(&["a", "Other-1"]).await.unwrap() else {
            assert_eq!(db.engine(), Engine::Sqlite);
            return;
        };
        for sql in ["select pg_notify('nobody', '')", "select pg_notify('Other-1', 'x')"] {
            let mut conn = db.begin().await.unwrap();
            on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
            conn.commit().await.unwrap();
        }
        let heard = listener.next().await.unwrap();
        assert_eq!(heard, Notice { channel: "Other-1".to_owned(), payload: "x".to_owned() });
    }

    async fn a_listener_whose_connection_ends_says_so(db: Db) {
        let Some(mut listener) = db.listen(&["a"]).await.unwrap() else { return };
        let sql = "select pg_terminate_backend(pid) from pg_stat_activity
                   where query like 'LISTEN%' and datname = current_database()";
        let mut conn = db.begin().await.unwrap();
        on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
        drop(conn);
        assert!(listener.next().await.is_err());
    }

    async fn writes_of_another_process_are_told_from_own_ones(db: Db) {
        commit(&db, TABLE).await;
        let before = db.foreign_writes().await.unwrap();
        commit(&db, INSERT).await;
        assert_eq!(db.foreign_writes().await.unwrap(), before);
        if before.is_none() {
            assert_eq!(db.engine(), Engine::Postgres);
            return;
        }
        let sql = "select file from pragma_database_list where name = 'main'";
        let mut conn = db.read().await.unwrap();
        let file: String = on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_one(c).await.unwrap());
        let other = Db::connect(&format!("sqlite:{file}")).await.unwrap();
        assert_eq!(db.foreign_writes().await.unwrap(), before, "it was only opened");
        commit(&other, INSERT).await;
        assert_ne!(db.foreign_writes().await.unwrap(), before);
    }
}
