use cgcg_core::{Clock, Db, Engine, Id, Timestamp, User, on};
use cgcg_testkit::{TestClock, both};
use serde_json::{Value, json};
use sqlx::types::Json;

use crate::support::commit;

async fn table(db: &Db) {
    commit(
        db,
        match db.engine() {
            Engine::Sqlite => {
                "create table things (id blob primary key, at integer, body text, name text) strict"
            }
            Engine::Postgres => {
                "create table things (id uuid primary key, at bigint, body jsonb, name text)"
            }
        },
    )
    .await;
}

type Row = (
    Id<User>,
    Option<Timestamp>,
    Option<Json<Value>>,
    Option<String>,
);

async fn round_trip(db: &Db, row: &Row) -> Row {
    let insert = "insert into things (id, at, body, name) values ($1, $2, $3, $4)";
    let select = "select id, at, body, name from things where id = $1";
    let mut conn = db.begin().await.unwrap();
    let (id, at, body, name) = row;
    on!(&mut conn, |c| {
        sqlx::query(insert)
            .bind(id)
            .bind(at)
            .bind(body)
            .bind(name)
            .execute(c)
            .await
            .unwrap();
    });
    conn.commit().await.unwrap();
    let mut conn = db.read().await.unwrap();
    on!(&mut conn, |c| sqlx::query_as(select)
        .bind(id)
        .fetch_one(c)
        .await
        .unwrap())
}

both! {
    async fn ids_times_and_json_come_back_as_they_went_in(db: Db) {
        table(&db).await;
        let clock = TestClock::default();
        let times = [Timestamp::MAX, Timestamp::from_micros(-1), Timestamp::from_micros(0), clock.now()];
        let bodies = [json!({"a": [1, 2.5, null, true, "é\"\\\n"]}), json!("text"), json!(9_007_199_254_740_993_i64), json!([])];
        for (at, body) in times.into_iter().zip(bodies) {
            let row = (Id::new(clock.now()), Some(at), Some(Json(body)), Some("näme".to_owned()));
            assert_eq!(round_trip(&db, &row).await, row);
        }
    }

    async fn a_null_is_none_and_not_an_empty_value(db: Db) {
        table(&db).await;
        let row = (Id::new(TestClock::default().now()), None, None, None);
        assert_eq!(round_trip(&db, &row).await, row);
    }

    async fn ids_sort_by_creation_in_the_database_too(db: Db) {
        table(&db).await;
        let clock = TestClock::default();
        let mut made: Vec<Id<User>> = Vec::new();
        for _ in 0..50 {
            made.push(Id::new(clock.now()));
            clock.advance(std::time::Duration::from_millis(1));
        }
        for id in made.iter().rev() {
            round_trip(&db, &(*id, None, None, None)).await;
        }
        let mut conn = db.read().await.unwrap();
        let sql = "select id from things order by id";
        let stored: Vec<Id<User>> = on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_all(c).await.unwrap());
        assert_eq!(stored, made);
        assert!(made.is_sorted());
    }
}
