//! Testkit, tested.

use std::time::Duration;

use cgcg_core::{Clock, Conn, Db, Engine, on};
use cgcg_testkit::{PostgresServer, TestClock, both};

async fn execute(conn: &mut Conn, sql: &'static str) {
    let done: sqlx::Result<()> = on!(conn, |c| sqlx::query(sql).execute(c).await.map(drop));
    done.expect("it fits this database");
}

async fn count(conn: &mut Conn, sql: &'static str) -> i64 {
    let counted: sqlx::Result<i64> = on!(conn, |c| sqlx::query_scalar(sql).fetch_one(c).await);
    counted.expect("it fits this database")
}

/// Two of the bodies below do the same: whichever runs second must not meet what the first one left.
async fn leave_a_table_behind(db: Db) {
    let tables = match db.engine() {
        Engine::Sqlite => "select count(*) from sqlite_schema",
        Engine::Postgres => {
            "select count(*) from pg_class where relnamespace = 'public'::regnamespace"
        }
    };
    let mut conn = db.begin().await.expect("a writer");
    assert_eq!(count(&mut conn, tables).await, 0);
    execute(&mut conn, "create table left_behind (id bigint)").await;
    conn.commit().await.expect("it is kept");
}

both! {
    async fn a_test_begins_with_an_empty_database(db: Db) {
        leave_a_table_behind(db).await;
    }

    async fn and_so_does_the_next_one(db: Db) {
        leave_a_table_behind(db).await;
    }
}

#[test]
fn a_killed_server_keeps_what_was_committed_and_answers_again_on_its_port() {
    let Some(mut server) = PostgresServer::start() else {
        return cgcg_testkit::skip("no PostgreSQL");
    };
    cgcg_testkit::run(async {
        let db = Db::connect(&server.url("postgres")).await.unwrap();
        let mut conn = db.begin().await.unwrap();
        execute(&mut conn, "create table kept (id bigint)").await;
        conn.commit().await.unwrap();
        server.kill();
        assert!(db.begin().await.is_err());
        server.restart();
        assert_eq!(
            count(&mut db.read().await.unwrap(), "select count(*) from kept").await,
            0
        );
        server.stop();
    });
}

#[test]
fn the_address_of_a_fresh_database_can_be_had_inside_of_a_runtime() {
    cgcg_testkit::run(async {
        let Some(url) = cgcg_testkit::postgres_url() else {
            return cgcg_testkit::skip("no PostgreSQL");
        };
        assert!(Db::connect(&url).await.is_ok(), "{url}");
    });
}

#[test]
fn a_sleeper_wakes_when_its_time_has_passed_and_not_before() {
    cgcg_testkit::run(async {
        let clock = TestClock::default();
        let sleeper = tokio::spawn(clock.sleep(Duration::from_secs(60)));
        clock.wait_for_sleepers(1).await;
        clock.advance(Duration::from_secs(59));
        clock.set(clock.now() + Duration::from_secs(3600));
        tokio::task::yield_now().await;
        assert!(!sleeper.is_finished());
        clock.advance(Duration::from_secs(1));
        sleeper.await.unwrap();
        assert_eq!(clock.sleepers(), 0);
        assert_eq!(clock.now().to_string(), "2030-01-01T01:01:00.000000Z");
        assert_eq!(clock.pinned(), Some(clock.now()));
        assert_eq!(clock.monotonic(), Duration::from_secs(60));
    });
}
