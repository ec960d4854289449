use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cgcg_core::{Db, DbSettings, Engine, Span, Trouble};
use cgcg_testkit::both;

use crate::support::{commit, count, execute};

const TABLE: &str = "create table notes (body text not null)";
const INSERT: &str = "insert into notes (body) values ('a')";
const COUNT: &str = "select count(*) from notes";

both! {
    async fn a_dropped_transaction_leaves_nothing_and_its_writer_is_free_again(db: Db) {
        commit(&db, TABLE).await;
        for _ in 0..20 {
            let mut conn = db.begin().await.unwrap();
            execute(&mut conn, INSERT).await.unwrap();
        }
        assert_eq!(count(&db, COUNT).await, 0);
        commit(&db, INSERT).await;
        assert_eq!(count(&db, COUNT).await, 1);
    }

    async fn a_begin_that_nobody_waits_for_any_more_leaves_nothing_open(db: Db) {
        commit(&db, TABLE).await;
        for polls in 1..20 {
            let mut begin = Box::pin(db.begin());
            for _ in 0..polls {
                tokio::select! {
                    biased;
                    conn = &mut begin => drop(conn),
                    () = tokio::task::yield_now() => continue,
                }
                break;
            }
            drop(begin);
            commit(&db, INSERT).await;
        }
        assert_eq!(count(&db, COUNT).await, 19);
    }

    async fn a_runtime_that_ends_takes_no_connection_along(db: Db) {
        let there = db.clone();
        let other = std::thread::spawn(move || cgcg_testkit::run(async move {
            let _opened_before = there.read().await?;
            there.read().await
        }));
        let mut conn = other.join().unwrap().unwrap();
        execute(&mut conn, "select 1").await.unwrap();
    }

    async fn a_closed_database_takes_nothing_more(db: Db) {
        commit(&db, TABLE).await;
        db.close().await;
        assert!(matches!(db.begin().await.unwrap_err(), sqlx::Error::PoolClosed));
        assert!(matches!(db.read().await.unwrap_err(), sqlx::Error::PoolClosed));
    }

    async fn a_dropped_transaction_drops_what_was_left_for_its_commit(db: Db) {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut conn = db.begin().await.unwrap();
        conn.on_commit({
            let runs = runs.clone();
            move || { runs.fetch_add(1, Ordering::SeqCst); }
        });
        drop(conn);
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        assert_eq!(Arc::strong_count(&runs), 1);
    }

    async fn what_is_left_for_the_commit_runs_once_and_after_it(db: Db) {
        commit(&db, TABLE).await;
        let (tell, told) = tokio::sync::oneshot::channel();
        let runs = Arc::new(AtomicUsize::new(0));
        let mut conn = db.begin().await.unwrap();
        execute(&mut conn, INSERT).await.unwrap();
        conn.on_commit({
            let runs = runs.clone();
            move || { runs.fetch_add(1, Ordering::SeqCst); tell.send(()).unwrap(); }
        });
        let reader = tokio::spawn({
            let db = db.clone();
            async move {
                told.await.unwrap();
                count(&db, COUNT).await
            }
        });
        assert_eq!(runs.load(Ordering::SeqCst), 0);
        conn.commit().await.unwrap();
        assert_eq!(reader.await.unwrap(), 1);
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    async fn outside_a_transaction_it_runs_at_once(db: Db) {
        let runs = Arc::new(AtomicUsize::new(0));
        let mut conn = db.read().await.unwrap();
        conn.on_commit({
            let runs = runs.clone();
            move || { runs.fetch_add(1, Ordering::SeqCst); }
        });
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        conn.commit().await.unwrap();
        assert_eq!(runs.load(Ordering::SeqCst), 1);
    }

    async fn a_connection_belongs_to_its_own_database_alone(db: Db) {
        let folder = cgcg_testkit::folder();
        let other = cgcg_testkit::sqlite(&folder).await;
        for conn in [db.read().await.unwrap(), db.begin().await.unwrap()] {
            assert!(conn.belongs_to(&db) && conn.belongs_to(&db.clone()));
            assert!(!conn.belongs_to(&other));
            assert_eq!(conn.engine(), db.engine());
        }
    }

    async fn a_reader_of_sqlite_refuses_to_write(db: Db) {
        commit(&db, TABLE).await;
        if db.engine() == Engine::Sqlite {
            let refused = execute(&mut db.read().await.unwrap(), INSERT).await;
            assert!(refused.unwrap_err().to_string().contains("readonly"));
        }
        assert_eq!(count(&db, COUNT).await, 0);
    }

    async fn a_reader_does_not_wait_for_the_writer(db: Db) {
        commit(&db, TABLE).await;
        let mut writer = db.begin().await.unwrap();
        execute(&mut writer, INSERT).await.unwrap();
        assert_eq!(count(&db, COUNT).await, 0);
        writer.commit().await.unwrap();
        assert_eq!(count(&db, COUNT).await, 1);
    }

    async fn a_second_insert_of_a_unique_value_is_a_unique_violation(db: Db) {
        commit(&db, "create table names (name text not null unique)").await;
        commit(&db, "insert into names (name) values ('a')").await;
        let mut conn = db.begin().await.unwrap();
        let refused = execute(&mut conn, "insert into names (name) values ('a')").await.unwrap_err();
        assert!(refused.as_database_error().is_some_and(|error| error.is_unique_violation()), "{refused}");
        assert_eq!(Trouble::of(&refused), Trouble::Other);
    }
}

#[test]
fn whoever_waits_too_long_for_the_writer_of_sqlite_is_told_that_it_is_busy() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let url = format!("sqlite:{}/cgcg.db", folder.path().display()).into();
        let settings = DbSettings {
            url,
            wait: Span::millis(50),
            ..DbSettings::default()
        };
        let db = Db::open(&settings).await.unwrap();
        let _held = db.begin().await.unwrap();
        assert_eq!(Trouble::of(&db.begin().await.unwrap_err()), Trouble::Busy);
    });
}

/// The lock of the file kept other processes out until the next write here.
#[test]
fn a_dropped_transaction_gives_up_the_file_at_once() {
    let folder = cgcg_testkit::folder();
    cgcg_testkit::run(async {
        let (db, other) = (
            cgcg_testkit::sqlite(&folder).await,
            cgcg_testkit::sqlite(&folder).await,
        );
        commit(&db, TABLE).await;
        let mut conn = db.begin().await.unwrap();
        execute(&mut conn, INSERT).await.unwrap();
        drop(conn);
        commit(&other, INSERT).await;
        assert_eq!(count(&db, COUNT).await, 1);
    });
}

#[test]
fn a_transaction_dropped_where_no_runtime_is_left_is_undone_by_the_next_one() {
    let folder = cgcg_testkit::folder();
    let (db, conn) = cgcg_testkit::run(async {
        let db = cgcg_testkit::sqlite(&folder).await;
        commit(&db, TABLE).await;
        let mut conn = db.begin().await.unwrap();
        execute(&mut conn, INSERT).await.unwrap();
        (db, conn)
    });
    drop(conn);
    cgcg_testkit::run(async {
        commit(&db, INSERT).await;
        assert_eq!(count(&db, COUNT).await, 1);
    });
}

/// It was told as a failure of ours, and a client that might have tried again did not.
#[test]
fn a_server_that_dies_under_a_transaction_is_gone() {
    let mut server = cgcg_testkit::PostgresServer::start().expect("PostgreSQL is installed");
    cgcg_testkit::run(async {
        let db = Db::connect(&server.url("postgres")).await.unwrap();
        let mut conn = db.begin().await.unwrap();
        server.kill();
        let lost = execute(&mut conn, "select 1").await.unwrap_err();
        assert_eq!(Trouble::of(&lost), Trouble::Gone, "{lost}");
    });
}

#[test]
fn a_transaction_dropped_where_no_runtime_is_left_frees_the_file_of_sqlite() {
    let folder = cgcg_testkit::folder();
    let open = || cgcg_testkit::run(cgcg_testkit::sqlite(&folder));
    let (db, other) = (open(), open());
    drop(cgcg_testkit::run(db.begin()).unwrap());
    cgcg_testkit::run(commit(&other, TABLE));
}
