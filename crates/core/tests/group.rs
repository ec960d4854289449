use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use cgcg_core::{
    Array, Batch, BoxFuture, Conn, Db, DbSettings, Engine, GroupError, Joined, Span, Trouble, on,
};
use cgcg_testkit::{both, eventually};

use crate::support::{commit, count, execute};

const TABLE: &str = "create table notes (body text not null unique)";
const COUNT: &str = "select count(*) from notes";

/// Stores notes; each answer is the number of the batch that stored it.
#[derive(Clone, Default)]
struct Notes {
    batches: Arc<AtomicUsize>,
    commits: Arc<AtomicUsize>,
}

impl Batch for Notes {
    type Item = String;
    type Answer = usize;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [String],
    ) -> BoxFuture<'a, sqlx::Result<Vec<usize>>> {
        let batch = self.batches.fetch_add(1, Ordering::SeqCst);
        let commits = self.commits.clone();
        Box::pin(async move {
            conn.on_commit(move || {
                commits.fetch_add(1, Ordering::SeqCst);
            });
            for item in items {
                assert_ne!(item, "panic");
                let sql = match conn.engine() {
                    // Without a copy of what the statement changes, SQLite undoes the transaction where the disk is full.
                    Engine::Sqlite => "insert or fail into notes (body) values ($1)",
                    Engine::Postgres => "insert into notes (body) values ($1)",
                };
                on!(conn, |c| sqlx::query(sql)
                    .bind(item)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            Ok(vec![batch; items.len()])
        })
    }
}

/// Stores numbers, on PostgreSQL in one statement; each answer is whether a transaction was around it.
struct Numbers;

impl Batch for Numbers {
    type Item = i64;
    type Answer = bool;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [i64],
    ) -> BoxFuture<'a, sqlx::Result<Vec<bool>>> {
        Box::pin(async move {
            for item in items {
                let sql = "insert into numbers (number) values ($1)";
                on!(conn, |c| sqlx::query(sql)
                    .bind(item)
                    .execute(c)
                    .await
                    .map(drop))?;
            }
            Ok(vec![true; items.len()])
        })
    }

    fn write_in_one<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [i64],
    ) -> BoxFuture<'a, sqlx::Result<Option<Vec<bool>>>> {
        Box::pin(async move {
            if items.contains(&0) {
                return Ok(None);
            }
            let sql = "insert into numbers (number) select unnest($1::bigint[])";
            let numbers: Array<i64> = items.iter().copied().collect();
            on!(conn, |c| sqlx::query(sql)
                .bind(numbers)
                .execute(c)
                .await
                .map(drop))?;
            Ok(Some(vec![false; items.len()]))
        })
    }
}

/// Hands in each of `texts` in a task of its own and gives the answers in their order.
async fn write_all(
    notes: &Joined<Notes>,
    texts: impl IntoIterator<Item = String>,
) -> Vec<Result<usize, GroupError>> {
    let write = |text| {
        let notes = notes.clone();
        tokio::spawn(async move { notes.write(text).await })
    };
    let tasks: Vec<_> = texts.into_iter().map(write).collect();
    let mut answers = Vec::new();
    for task in tasks {
        answers.push(task.await.unwrap());
    }
    answers
}

fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| number.to_string())
}

both! {
    async fn each_of_many_callers_gets_an_answer_and_they_share_transactions(db: Db) {
        commit(&db, TABLE).await;
        let batch = Notes::default();
        let notes = db.join(batch.clone());
        let answers = write_all(&notes, numbered(500)).await;
        assert!(answers.iter().all(Result::is_ok));
        assert_eq!(count(&db, COUNT).await, 500);
        assert!(batch.batches.load(Ordering::SeqCst) < 500);
        assert_eq!(batch.batches.load(Ordering::SeqCst), batch.commits.load(Ordering::SeqCst));
    }

    async fn one_that_fails_takes_nobody_along(db: Db) {
        commit(&db, TABLE).await;
        commit(&db, "insert into notes (body) values ('3')").await;
        let batch = Notes::default();
        let notes = db.join(batch.clone());
        let answers = write_all(&notes, numbered(50)).await;
        for (number, answer) in answers.iter().enumerate() {
            match answer {
                Ok(_) => assert_ne!(number, 3),
                Err(GroupError::NotStored(error)) => {
                    assert_eq!(number, 3);
                    assert!(error.as_database_error().is_some_and(|error| error.is_unique_violation()));
                }
                Err(other) => panic!("{other}"),
            }
        }
        assert_eq!(count(&db, COUNT).await, 50);
        // A wake-up that an undone batch left is not run.
        assert!(batch.commits.load(Ordering::SeqCst) < batch.batches.load(Ordering::SeqCst));
    }

    async fn what_is_one_statement_takes_a_transaction_only_where_it_must(db: Db) {
        commit(&db, "create table numbers (number bigint not null unique)").await;
        let numbers = db.join(Numbers);
        let postgres = db.engine() == Engine::Postgres;
        assert_eq!(numbers.write(1).await.unwrap(), !postgres);
        assert!(numbers.write(0).await.unwrap(), "it said that one statement is not enough");
        let refused = numbers.write(1).await.unwrap_err();
        assert!(matches!(&refused, GroupError::NotStored(_)), "{refused}");
        // Whatever they share with the one that is there already, each is told for itself.
        let writes = (1..=50).map(|number| {
            let numbers = numbers.clone();
            tokio::spawn(async move { numbers.write(number).await })
        });
        for (number, write) in (1..).zip(writes.collect::<Vec<_>>()) {
            assert_eq!(write.await.unwrap().is_ok(), number != 1, "{number}");
        }
        assert_eq!(count(&db, "select count(*) from numbers").await, 51);
    }

    async fn a_lone_caller_is_told_what_is_wrong_with_its_item(db: Db) {
        commit(&db, TABLE).await;
        let notes = db.join(Notes::default());
        notes.write("a".to_owned()).await.unwrap();
        let refused = notes.write("a".to_owned()).await.unwrap_err();
        assert!(matches!(&refused, GroupError::NotStored(_)));
        let refused = sqlx::Error::from(refused);
        assert!(refused.as_database_error().is_some_and(|error| error.is_unique_violation()), "{refused}");
        notes.write("b".to_owned()).await.unwrap();
    }

    async fn kinds_that_share_a_transaction_do_not_undo_each_other(db: Db) {
        commit(&db, TABLE).await;
        let (first, second) = (db.join(Notes::default()), db.join(Notes::default()));
        // Both gather while somebody else writes.
        let mut held = db.begin().await.unwrap();
        execute(&mut held, "insert into notes (body) values ('7')").await.unwrap();
        let tasks = [first, second].map(|notes| {
            tokio::spawn(async move { write_all(&notes, numbered(10)).await })
        });
        held.commit().await.unwrap();
        let mut stored = 0;
        for task in tasks {
            stored += task.await.unwrap().iter().filter(|answer| answer.is_ok()).count();
        }
        // Each number but 7 by whoever came first.
        assert_eq!(stored, 9);
        assert_eq!(count(&db, COUNT).await, 10);
    }

    async fn a_batch_that_panics_leaves_nothing_and_stops_nobody(db: Db) {
        commit(&db, TABLE).await;
        let notes = db.join(Notes::default());
        let lost = notes.write("panic".to_owned()).await;
        assert!(matches!(lost, Err(GroupError::Unknown(sqlx::Error::WorkerCrashed))));
        // Also where the writer is still falling.
        notes.write("a".to_owned()).await.unwrap();
        assert_eq!(count(&db, COUNT).await, 1);
    }

    async fn a_runtime_that_ends_takes_nobodys_write_along(db: Db) {
        commit(&db, TABLE).await;
        let notes = db.join(Notes::default());
        let mut held = vec![db.begin().await.unwrap()];
        if db.engine() == Engine::Postgres {
            for _ in 1..DbSettings::default().connections {
                held.push(db.begin().await.unwrap());
            }
        }
        let first = notes.clone();
        let (begun, begins) = mpsc::channel();
        let (end, ends) = mpsc::channel::<()>();
        let other = std::thread::spawn(move || cgcg_testkit::run(async {
            poll_once(Box::pin(first.write("left".to_owned()))).await;
            begun.send(()).unwrap();
            ends.recv().unwrap();
        }));
        begins.recv().unwrap();
        let mut stays = Box::pin(notes.write("stays".to_owned()));
        poll_once(&mut stays).await;
        end.send(()).unwrap();
        other.join().unwrap();
        drop(held);
        stays.await.unwrap();
        assert_eq!(count(&db, COUNT).await, 1);
    }

    async fn the_same_database_apart_has_connections_of_its_own(db: Db) {
        commit(&db, TABLE).await;
        let apart = db.apart();
        commit(&apart, "insert into notes (body) values ('a')").await;
        assert_eq!(count(&db, COUNT).await, 1);
        assert_eq!(db.begin().await.unwrap().belongs_to(&apart), db.engine() == Engine::Sqlite);
    }
}

/// A database whose writer is waited for as long as `wait` says.
async fn sqlite(folder: &tempfile::TempDir, wait: Span) -> Db {
    let settings = DbSettings {
        url: format!("sqlite:{}/cgcg.db", folder.path().display()).into(),
        wait,
        ..DbSettings::default()
    };
    let db = Db::open(&settings).await.unwrap();
    commit(&db, TABLE).await;
    db
}

#[test]
fn all_that_gathered_while_the_writer_was_busy_are_written_at_once() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let db = sqlite(&folder, Span::seconds(20)).await;
        let batch = Notes::default();
        let notes = db.join(batch.clone());
        let held = db.begin().await.unwrap();
        let mut writes: Vec<_> = numbered(100)
            .map(|text| Box::pin(notes.write(text)))
            .collect();
        for write in &mut writes {
            poll_once(write).await;
        }
        drop(held);
        for write in writes {
            assert_eq!(write.await.unwrap(), 0);
        }
        assert_eq!(batch.batches.load(Ordering::SeqCst), 1);
    });
}

#[test]
fn who_leaves_before_its_turn_has_written_nothing() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let db = sqlite(&folder, Span::seconds(20)).await;
        let notes = db.join(Notes::default());
        let held = db.begin().await.unwrap();
        let mut left = Box::pin(notes.write("left".to_owned()));
        poll_once(&mut left).await;
        drop(left);
        let mut stays = Box::pin(notes.write("stays".to_owned()));
        poll_once(&mut stays).await;
        drop(held);
        stays.await.unwrap();
        assert_eq!(count(&db, COUNT).await, 1);
    });
}

#[test]
fn who_waits_too_long_for_the_writer_is_told_that_it_is_busy() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let db = sqlite(&folder, Span::millis(50)).await;
        let notes = db.join(Notes::default());
        let held = db.begin().await.unwrap();
        for answer in write_all(&notes, numbered(3)).await {
            let Err(GroupError::NotStored(error)) = answer else {
                panic!("{answer:?}")
            };
            assert_eq!(Trouble::of(&error), Trouble::Busy);
        }
        drop(held);
        notes.write("a".to_owned()).await.unwrap();
    });
}

#[test]
fn a_disk_that_fills_up_while_a_batch_is_written_in_parts_is_told_as_full() {
    cgcg_testkit::run(async {
        let folder = cgcg_testkit::folder();
        let db = sqlite(&folder, Span::seconds(20)).await;
        commit(&db, "insert into notes (body) values ('taken')").await;
        let notes = db.join(Notes::default());
        let mut held = db.begin().await.unwrap();
        execute(&mut held, "pragma max_page_count = 20")
            .await
            .unwrap();
        let large = (0..20).map(|number| number.to_string().repeat(50_000));
        let texts = std::iter::once("taken".to_owned()).chain(large);
        let mut writes: Vec<_> = texts.map(|text| Box::pin(notes.write(text))).collect();
        for write in &mut writes {
            poll_once(write).await;
        }
        drop(held);
        for write in writes {
            let Err(GroupError::NotStored(error)) = write.await else {
                panic!("it was stored")
            };
            assert_eq!(Trouble::of(&error), Trouble::Full, "{error}");
        }
        assert_eq!(count(&db, COUNT).await, 1);
    });
}

#[test]
fn a_caller_that_blocks_its_threads_does_not_stop_the_writer_of_sqlite() {
    let folder = cgcg_testkit::folder();
    let db = cgcg_testkit::run(sqlite(&folder, Span::seconds(20)));
    let notes = db.join(Notes::default());
    let (release, released) = mpsc::channel::<()>();
    let blocked = std::thread::spawn(move || {
        cgcg_testkit::run(async {
            let mut write = Box::pin(notes.write("a".to_owned()));
            poll_once(&mut write).await;
            released.recv().unwrap();
            write.await.unwrap();
        });
    });
    cgcg_testkit::run(eventually("the note is there", async || {
        count(&db, COUNT).await == 1
    }));
    release.send(()).unwrap();
    blocked.join().unwrap();
}

async fn poll_once<T>(mut future: impl Future<Output = T> + Unpin) {
    std::future::poll_fn(|context| {
        let _ = std::pin::Pin::new(&mut future).poll(context);
        std::task::Poll::Ready(())
    })
    .await;
}
