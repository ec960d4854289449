//! A full table, and what statements read of it.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cgcg_core::{Conn, Db, Engine, Lease, on};

use crate::TaskId;
use crate::tests::Bed;

/// A fifth each: ready, ready with one of 50 keys in a queue of their own, scheduled, running, failed. Those that failed
/// have two owners.
macro_rules! fill {
    ($id:literal, $key:literal, $payload:literal) => {
        concat!(
            "with recursive n (i) as (select 1 union all select i + 1 from n where i < 20000)
             insert into task (id, owner, queue, name, state, priority, run_at, max_attempts, timeout_us, lease, lease_until,
               deadline_at, worker, unique_key, conc_key, payload, created_at, finished_at)
             select ",
            $id,
            ", case i % 10 when 4 then 'ada' when 9 then 'bob' else '' end, case when i % 5 = 1 then 'keyed' else 'default' end, case when i % 2 = 0 then 'n' else 'other' end,
               case i % 5 when 0 then 2 when 1 then 2 when 2 then 1 when 3 then 3 else 5 end, i % 7,
               case when i % 5 = 2 then $1 + 60000000 + i else $1 - i end, 20, 1000000,
               case when i % 5 = 3 then 1 else 0 end, case when i % 5 = 3 then $1 + 30000000 end,
               case when i % 5 = 3 then $1 + 30000000 end, case when i % 5 = 3 then 'w' end,
               case when i % 5 = 0 then ",
            $key,
            " end, case when i % 5 = 1 then 'k' || (i % 50) end, ",
            $payload,
            ", $1, case when i % 5 = 4 then $1 end from n"
        )
    };
}

pub(super) async fn fill(bed: &Bed) {
    let mut conn = bed.db.begin().await.unwrap();
    fill_in(&mut conn, bed).await;
    conn.commit().await.unwrap();
}

pub(super) async fn fill_in(conn: &mut Conn, bed: &Bed) {
    let sql = match conn.engine() {
        Engine::Sqlite => fill!(
            "randomblob(16)",
            "cast(printf('%016d', i) as blob)",
            "x'7b7d'"
        ),
        Engine::Postgres => fill!(
            "gen_random_uuid()",
            "decode(lpad(to_hex(i), 32, '0'), 'hex')",
            "'\\x7b7d'"
        ),
    };
    let now = cgcg_core::Clock::now(&bed.clock);
    on!(conn, |c| sqlx::query(sql)
        .bind(now)
        .execute(c)
        .await
        .map(drop))
    .unwrap();
}

pub(super) async fn say(bed: &Bed, sql: &'static str) {
    let mut conn = bed.db.begin().await.unwrap();
    on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
    conn.commit().await.unwrap();
}

pub(super) async fn analyze(bed: &Bed) {
    say(bed, "analyze").await;
}

/// Scans and entries read, of the table and of each of its indexes.
type Counts = HashMap<String, (i64, i64)>;

/// One transaction in which statements are counted.
pub(super) struct Probe {
    pub(super) conn: Conn,
    /// SQLite: hundreds of steps of its machine.
    steps: Arc<AtomicI64>,
    before: Counts,
}

impl Probe {
    pub(super) async fn new(db: &Db) -> Self {
        let mut conn = db.begin().await.unwrap();
        let steps = Arc::new(AtomicI64::new(0));
        match conn.lease() {
            Lease::Sqlite(held) => {
                let steps = steps.clone();
                let count = move || steps.fetch_add(1, Ordering::SeqCst) >= 0;
                held.lock_handle()
                    .await
                    .unwrap()
                    .set_progress_handler(100, count);
            }
            Lease::Postgres(held) => {
                let sql = "set local plan_cache_mode = force_generic_plan";
                sqlx::query(sql).execute(&mut **held).await.unwrap();
            }
        }
        let before = counts(&mut conn).await;
        steps.store(0, Ordering::SeqCst);
        Self {
            conn,
            steps,
            before,
        }
    }

    /// Counts from here.
    pub(super) async fn restart(&mut self) {
        self.before = counts(&mut self.conn).await;
        self.steps.store(0, Ordering::SeqCst);
    }

    /// Ten tasks that run.
    pub(super) async fn running(&mut self) -> Vec<(i64, TaskId)> {
        let sql = "select seq, id from task where state = 3 order by seq limit 10";
        let conn = &mut self.conn;
        let rows = on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await.unwrap());
        self.restart().await;
        rows
    }

    /// As [`Probe::went`], where it matters.
    pub(super) async fn may_go(&mut self, what: &str, matters: bool, index: &str, most: i64) {
        match matters {
            true => self.went(what, index, most).await,
            false => self.restart().await,
        }
    }

    /// What was done since the last call read no task.
    pub(super) async fn read_none(&mut self, what: &str) {
        let steps = 100 * self.steps.swap(0, Ordering::SeqCst);
        assert!(steps <= 1_000, "{what}: {steps} steps");
        let after = counts(&mut self.conn).await;
        assert_eq!(after, self.before, "{what}");
    }

    /// What was done since the last call went by `index` alone and read at most `most` entries.
    pub(super) async fn went(&mut self, what: &str, index: &str, most: i64) {
        if self.conn.engine() == Engine::Sqlite {
            // An entry costs 20 steps and less; what changes a row has more to do.
            let steps = 100 * self.steps.swap(0, Ordering::SeqCst);
            assert!(steps <= 40 * most + 3_000, "{what}: {steps} steps");
            return;
        }
        let after = counts(&mut self.conn).await;
        let grown = |name: &str| {
            (
                after[name].0 - self.before[name].0,
                after[name].1 - self.before[name].1,
            )
        };
        assert_eq!(grown("task"), (0, 0), "{what} reads the whole table");
        assert!(
            grown(index).0 > 0,
            "{what} does not enter by {index}: {:?} {after:?}",
            self.before
        );
        let read: i64 = after.keys().map(|name| grown(name).1).sum();
        assert!(read <= most, "{what} reads {read} entries");
        self.before = after;
    }
}

async fn counts(conn: &mut Conn) -> Counts {
    if conn.engine() == Engine::Sqlite {
        return Counts::new();
    }
    let sql = "select relname::text, pg_stat_get_xact_numscans(oid), pg_stat_get_xact_tuples_returned(oid)
               from pg_class
               where oid = 'task'::regclass or oid in (select indexrelid from pg_index where indrelid = 'task'::regclass)";
    let rows: Vec<(String, i64, i64)> =
        on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await.unwrap());
    rows.into_iter()
        .map(|(name, scans, read)| (name, (scans, read)))
        .collect()
}
