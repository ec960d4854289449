//! Statements that run all the time, on 20,000 rows of all states, planned as when they are prepared once for any
//! values: each enters by its own index and reads no more than it has to.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use cgcg_core::{Conn, Db, Engine, Lease, on};
use cgcg_testkit::both;

use super::{Bed, LEASE, seconds};
use crate::store::claim::Request;
use crate::store::lease::{Beat, Done, Fence, Next, Settled};
use crate::store::{self, change, claim, enqueue, lane, look, park, queue, read, tend, watch};
use crate::{TaskFilter, TaskId};

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

async fn fill(bed: &Bed) {
    let mut conn = bed.db.begin().await.unwrap();
    fill_in(&mut conn, bed).await;
    conn.commit().await.unwrap();
}

async fn fill_in(conn: &mut Conn, bed: &Bed) {
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

async fn say(bed: &Bed, sql: &'static str) {
    let mut conn = bed.db.begin().await.unwrap();
    on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).unwrap();
    conn.commit().await.unwrap();
}

async fn analyze(bed: &Bed) {
    say(bed, "analyze").await;
}

/// Scans and entries read, of the table and of each of its indexes.
type Counts = HashMap<String, (i64, i64)>;

/// One transaction in which statements are counted.
struct Probe {
    conn: Conn,
    /// SQLite: hundreds of steps of its machine.
    steps: Arc<AtomicI64>,
    before: Counts,
}

impl Probe {
    async fn new(db: &Db) -> Self {
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
    async fn restart(&mut self) {
        self.before = counts(&mut self.conn).await;
        self.steps.store(0, Ordering::SeqCst);
    }

    /// Ten tasks that run.
    async fn running(&mut self) -> Vec<(i64, TaskId)> {
        let sql = "select seq, id from task where state = 3 order by seq limit 10";
        let conn = &mut self.conn;
        let rows = on!(conn, |c| sqlx::query_as(sql).fetch_all(c).await.unwrap());
        self.restart().await;
        rows
    }

    /// As [`Probe::went`], where it matters.
    async fn may_go(&mut self, what: &str, matters: bool, index: &str, most: i64) {
        match matters {
            true => self.went(what, index, most).await,
            false => self.restart().await,
        }
    }

    /// What was done since the last call went by `index` alone and read at most `most` entries.
    async fn went(&mut self, what: &str, index: &str, most: i64) {
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

/// Signs of life, ends and returns of ten tasks.
async fn holders_write(bed: &Bed) {
    let mut probe = Probe::new(&bed.db).await;
    let now = store::now(&bed.clock, &probe.conn);
    let rows = probe.running().await;
    let fence = |(seq, id): &(i64, TaskId)| Fence {
        id: *id,
        seq: *seq,
        lease: 1,
    };
    let beats: Vec<_> = rows
        .iter()
        .map(|row| Beat {
            fence: fence(row),
            progress: None,
        })
        .collect();
    assert_eq!(
        store::lease::beat(&mut probe.conn, now, LEASE, "w", &beats)
            .await
            .unwrap()
            .len(),
        10
    );
    probe.went("beat", "task_pkey", 120).await;
    let (done, settled) = rows.split_at(5);
    let done: Vec<_> = done
        .iter()
        .map(|row| Done {
            fence: fence(row),
            worker: "w".to_owned(),
            result: None,
        })
        .collect();
    assert_eq!(
        store::lease::complete(&mut probe.conn, now, true, &done)
            .await
            .unwrap()
            .len(),
        5
    );
    probe.went("complete", "task_pkey", 30).await;
    let settled: Vec<_> = settled
        .iter()
        .map(|row| Settled {
            fence: fence(row),
            worker: "w".to_owned(),
            next: Next::Retry(seconds(1)),
            error: None,
        })
        .collect();
    assert_eq!(
        store::lease::settle(&mut probe.conn, now, &settled)
            .await
            .unwrap()
            .len(),
        5
    );
    probe.went("settle", "task_pkey", 30).await;
}

both! {
    async fn claims_enter_by_their_own_index(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        let names = ["n".to_owned(), "other".to_owned()];
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        assert_eq!(claim::claim(&mut probe.conn, now, &wanted).await.unwrap().len(), 10);
        probe.went("claim", "task_ix_ready", 40).await;
        assert_eq!(claim::claim_held(&mut probe.conn, now, &wanted).await.unwrap().len(), 10);
        probe.went("claim_held", "task_ix_ready", 60).await;
        let keyed = Request { queue: "keyed", ..wanted };
        let lanes = lane::list(&mut probe.conn, "keyed", "", 8).await.unwrap();
        assert_eq!(lanes.len(), 8);
        probe.went("lanes", "task_ix_lane", 40).await;
        let rooms: Vec<_> = lanes.into_iter().map(|lane| (lane.k, 3)).collect();
        assert_eq!(lane::claim(&mut probe.conn, now, &keyed, &rooms).await.unwrap().len(), 10);
        probe.went("claim of lanes", "task_ix_lane", 100).await;
        assert_eq!(queue::running(&mut probe.conn, "default").await.unwrap(), 4_020);
        probe.went("running", "task_ix_running", 4_100).await;
        assert_eq!(park::head(&mut probe.conn, "default", &names[..1], 100).await.unwrap().tasks, 100);
        probe.went("head", "task_ix_ready", 150).await;
        park::park(&mut probe.conn, now, "default", &names[..1], 100, seconds(60)).await.unwrap();
        probe.went("park", "task_ix_ready", 4_500).await;
    }

    /// Each claim read and sorted all that was ready, 200,000 tasks in 0.6 s, until the first statistics came.
    async fn a_claim_walks_its_index_where_there_are_no_statistics_yet(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        if bed.db.engine() == Engine::Postgres {
            // As after a wave of tasks that no vacuum has seen: it expects few of many, and a sort of few is cheap.
            say(&bed, "update pg_class set reltuples = 400000, relpages = pg_relation_size(oid) / 8192
                       where oid = 'task'::regclass").await;
        }
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        let names = ["n".to_owned(), "other".to_owned()];
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        assert_eq!(claim::claim(&mut probe.conn, now, &wanted).await.unwrap().len(), 10);
        probe.went("claim", "task_ix_ready", 40).await;
    }

    /// Of a table that was small when the statement was planned each claim read all, once for each task that it took: 3,000
    /// tasks a second for 14,000, until the next statistics.
    async fn what_was_planned_for_an_empty_table_reads_no_more_of_a_full_one(db: Db) {
        let bed = Bed::new(db).await;
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let names = ["n".to_owned(), "other".to_owned()];
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        let keyed = Request { queue: "keyed", ..wanted.clone() };
        let rooms: Vec<_> = [6, 11, 16, 26].map(|key| (format!("k{key}"), 3)).into();
        let now = store::now(&bed.clock, &probe.conn);
        let queues = ["default", "keyed"].map(str::to_owned).to_vec();
        let postgres = bed.db.engine() == Engine::Postgres;
        for stage in ["empty", "full", "counted"] {
            let (full, counted) = (stage != "empty", stage == "counted");
            match stage {
                "full" => fill_in(&mut probe.conn, &bed).await,
                "counted" if postgres => tend::count_anew(&mut probe.conn).await.unwrap(),
                _ => {}
            }
            probe.restart().await;
            let claimed = claim::claim(&mut probe.conn, now, &wanted).await.unwrap().len();
            assert_eq!(claimed, if full { 10 } else { 0 });
            probe.may_go("claim", full, "task_ix_ready", 60).await;
            let claimed = lane::claim(&mut probe.conn, now, &keyed, &rooms).await.unwrap().len();
            assert_eq!(claimed, if full { 10 } else { 0 });
            probe.may_go("claim of lanes", full, "task_ix_lane", 120).await;
            // These were planned for an empty table until it is counted, at the next look for lost tasks.
            let pulse = tend::pulse(&mut probe.conn, now).await.unwrap();
            assert_eq!((pulse.running, pulse.grown), (full, postgres && stage == "full"));
            probe.may_go("pulse", counted, "task_ix_running", 5).await;
            assert_eq!(lane::list(&mut probe.conn, "keyed", "", 8).await.unwrap().len(), if full { 8 } else { 0 });
            probe.may_go("lanes", counted, "task_ix_lane", 40).await;
            watch::look(&mut probe.conn, now, queues.clone()).await.unwrap();
            probe.may_go("look", counted, "task_ix_ready", 60).await;
            read::next_due(&mut probe.conn, now).await.unwrap();
            probe.may_go("next_due", counted, "task_ix_sched", 5).await;
            tend::promote(&mut probe.conn, now, 500).await.unwrap();
            probe.may_go("promote of none", counted, "task_ix_sched", 5).await;
            let none = TaskId::from_uuid(uuid::Uuid::max());
            assert!(read::find(&mut probe.conn, none).await.unwrap().is_none());
            probe.may_go("status", counted, "task_pkey", 5).await;
            assert!(change::cancel(&mut probe.conn, now, none).await.unwrap().is_none());
            probe.may_go("cancel", counted, "task_pkey", 5).await;
        }
    }

    /// Long keys make the index of keys higher than that of what is ready: each key read all that was ready.
    async fn a_claim_of_long_keys_enters_by_their_index_with_statistics_of_a_quiet_time(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        say(&bed, "update task set state = 1, queue = 'keyed', lease = 0, worker = null,
                     conc_key = 'a key as long as a UUID with dashes ' || (seq % 50)").await;
        analyze(&bed).await;
        say(&bed, "update task set state = 2").await;
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        let names = ["n".to_owned(), "other".to_owned()];
        let wanted = Request { queue: "keyed", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        let rooms: Vec<_> = [6, 11, 16, 26].map(|key| (format!("a key as long as a UUID with dashes {key}"), 3)).into();
        assert_eq!(lane::claim(&mut probe.conn, now, &wanted, &rooms).await.unwrap().len(), 10);
        probe.went("claim of lanes", "task_ix_lane", 200).await;
    }

    async fn what_holders_of_leases_write_enters_by_the_key(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        analyze(&bed).await;
        holders_write(&bed).await;
    }

    /// All that ran was walked for each batch, because nothing ran when the table was last counted.
    async fn what_holders_write_enters_by_the_key_with_statistics_of_a_quiet_time(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        say(&bed, "update task set state = 1 where state in (3, 5)").await;
        analyze(&bed).await;
        say(&bed, "update task set state = case when worker is null then 5 else 3 end where lease = 1 or finished_at > 0").await;
        holders_write(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let ids: Vec<_> = probe.running().await.into_iter().map(|(_, id)| id).collect();
        #[cfg(feature = "router")]
        {
            assert_eq!(store::remote::runs(&mut probe.conn, &ids).await.unwrap().len(), ids.len());
            probe.went("runs", "task_pkey", 60).await;
            assert!(store::remote::ended(&mut probe.conn, "w", &ids).await.unwrap().is_empty());
            probe.went("ended", "task_pkey", 60).await;
        }
        assert!(!change::delete(&mut probe.conn, ids[0]).await.unwrap());
        probe.went("delete", "task_pkey", 10).await;
    }

    async fn what_keeps_the_queue_in_order_reads_no_pile(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        assert!(tend::pulse(&mut probe.conn, now).await.unwrap().running);
        probe.went("pulse", "task_ix_running", 5).await;
        let queues = ["default", "keyed", "none"].map(str::to_owned).to_vec();
        assert_eq!(watch::look(&mut probe.conn, now, queues).await.unwrap().ready, ["default", "keyed"]);
        probe.went("look", "task_ix_ready", 10).await;
        read::next_due(&mut probe.conn, now).await.unwrap();
        probe.went("next_due", "task_ix_sched", 5).await;
        assert!(tend::promote(&mut probe.conn, now, 500).await.unwrap().is_empty());
        probe.went("promote of none", "task_ix_sched", 5).await;
        assert!(tend::rescue(&mut probe.conn, now, 500, seconds(1_200)).await.unwrap().is_empty());
        probe.went("rescue of none", "task_ix_running", 4_100).await;
        let none = TaskId::from_uuid(uuid::Uuid::nil());
        assert!(look::leases(&mut probe.conn, None, none, 51).await.unwrap().is_empty());
        // SQLite: 44,000 steps by this index, 108,000 by that of the ids.
        let most = if bed.db.engine() == Engine::Sqlite { 1_600 } else { 4_100 };
        probe.went("leases", "task_ix_running", most).await;
        if bed.db.engine() == Engine::Postgres {
            assert_eq!(tend::sweep(&mut probe.conn, 100).await.unwrap(), 100);
            probe.went("sweep", "task_ix_fin", 300).await;
        } else {
            let before = cgcg_core::Clock::now(&bed.clock) - seconds(60);
            assert_eq!(tend::purge(&mut probe.conn, 5, before, 500).await.unwrap(), 0);
            probe.went("purge of none", "task_ix_fin", 5).await;
        }
    }

    async fn what_is_done_to_one_task_enters_by_its_id(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        let rows = probe.running().await;
        let (_, id) = rows[0];
        let conn = &mut probe.conn;
        assert!(read::find(conn, id).await.unwrap().is_some());
        probe.went("status", "task_pkey", 5).await;
        let ids: Vec<_> = rows.iter().map(|(_, id)| *id).collect();
        assert_eq!(read::open(&mut probe.conn, &ids).await.unwrap().len(), 10);
        probe.went("open", "task_pkey", 20).await;
        assert!(change::cancel(&mut probe.conn, now, id).await.unwrap().is_some());
        probe.went("cancel", "task_pkey", 5).await;
        assert!(change::retry(&mut probe.conn, now, id).await.unwrap().is_none());
        probe.went("retry", "task_pkey", 5).await;
        assert!(change::reschedule(&mut probe.conn, now, id, None, Some(1)).await.unwrap().is_none());
        probe.went("reschedule", "task_pkey", 5).await;
        assert!(!change::delete(&mut probe.conn, id).await.unwrap());
        probe.went("delete", "task_pkey", 5).await;
        assert!(enqueue::existing(&mut probe.conn, &[0; 16]).await.unwrap().is_none());
        probe.went("existing", "task_ix_uniq", 5).await;
        let all = TaskId::from_uuid(uuid::Uuid::max());
        let page = read::list(&mut probe.conn, all, 100, &TaskFilter::default(), 10).await.unwrap();
        assert_eq!(page.len(), 10);
        probe.went("list", "task_pkey", 150).await;
        read::floor(&mut probe.conn, all, 100, &TaskFilter::default()).await.unwrap();
        probe.went("floor of a list", "task_pkey", 150).await;
        let of_ada = TaskFilter { owner: Some("ada".to_owned()), ..TaskFilter::default() };
        let page = read::list(&mut probe.conn, all, 100, &of_ada, 10).await.unwrap();
        assert!(page.len() == 10 && page.iter().all(|line| line.owner == "ada"));
        probe.went("list of an owner", "task_ix_owner", 150).await;
        read::floor(&mut probe.conn, all, 100, &of_ada).await.unwrap();
        probe.went("floor of an owner", "task_ix_owner", 150).await;
    }
}
