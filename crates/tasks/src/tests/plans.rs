//! Statements that run all the time, on 20,000 rows of all states, planned as when they are prepared once for any
//! values: each enters by its own index and reads no more than it has to.

mod probe;

use cgcg_core::{Db, Engine};
use cgcg_testkit::both;

use super::{Bed, LEASE, seconds};
use crate::store::claim::{Ranges, Request};
use crate::store::lease::{Beat, Done, Fence, Next, Settled};
use crate::store::{self, change, claim, enqueue, lane, look, park, queue, read, tend, watch};
use crate::{QueueLimits, TaskFilter, TaskId};
use probe::{Probe, analyze, fill, fill_in, say};

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
        let all = Ranges::default();
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        assert_eq!(claim::claim(&mut probe.conn, now, &wanted, false, &all).await.unwrap().tasks.len(), 10);
        probe.went("claim", "task_ix_ready", 40).await;
        assert_eq!(claim::claim(&mut probe.conn, now, &wanted, true, &all).await.unwrap().tasks.len(), 10);
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

    /// What was taken stays in the index until a vacuum, and the next claims walked all of it.
    async fn a_claim_reads_nothing_before_its_floor(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        let names = ["n".to_owned(), "other".to_owned()];
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        let floors: Ranges = (0..6).map(|priority| (priority, i64::MAX)).collect();
        let claimed = claim::claim(&mut probe.conn, now, &wanted, false, &floors).await.unwrap().tasks;
        // SQLite has no floors: nothing that was taken stays in its index.
        let first = if bed.db.engine() == Engine::Postgres { 6 } else { 0 };
        assert!(claimed.len() == 10 && claimed.iter().all(|task| task.priority == first));
        probe.went("claim", "task_ix_ready", 40).await;
    }

    /// It looked at the limits once more for each task that was ready: keyed claims beside 100,000 tasks ran at half the
    /// speed.
    async fn a_plain_claim_reads_no_task_of_a_queue_with_limits(db: Db) {
        let bed = Bed::new(db).await;
        fill(&bed).await;
        let limits = QueueLimits { paused: true, ..QueueLimits::default() };
        bed.tasks.set_limits(&"default".parse().unwrap(), limits, None).await.unwrap();
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let now = store::now(&bed.clock, &probe.conn);
        let names = ["n".to_owned(), "other".to_owned()];
        let all = Ranges::default();
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        assert!(claim::claim(&mut probe.conn, now, &wanted, false, &all).await.unwrap().tasks.is_empty());
        probe.read_none("claim").await;
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
        let all = Ranges::default();
        let wanted = Request { queue: "default", limit: 10, ahead: 0, lease: LEASE, worker: "v", names: &names };
        assert_eq!(claim::claim(&mut probe.conn, now, &wanted, false, &all).await.unwrap().tasks.len(), 10);
        probe.went("claim", "task_ix_ready", 40).await;
    }

    /// Of a table that was small when the statement was planned each claim read all, once for each task that it took: 3,000
    /// tasks a second for 14,000, until the next statistics.
    async fn what_was_planned_for_an_empty_table_reads_no_more_of_a_full_one(db: Db) {
        let bed = Bed::new(db).await;
        analyze(&bed).await;
        let mut probe = Probe::new(&bed.db).await;
        let names = ["n".to_owned(), "other".to_owned()];
        let all = Ranges::default();
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
            let claimed = claim::claim(&mut probe.conn, now, &wanted, false, &all).await.unwrap().tasks.len();
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
