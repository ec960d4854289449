//! All interleavings of what workers and others may do with two tasks, compared with a model, step by step: every state
//! that eight steps can lead to is reached, and from there every step is done.

mod states;

use std::time::Duration;

use cgcg_core::{Conn, Db, Timestamp, on};
use cgcg_testkit::both;
use serde_json::json;

use super::{Bed, LEASE, new, seconds};
use crate::TaskId;
use crate::store::claim::{Ranges, Request, claim};
use crate::store::lease::{Beat, Done, Fence, Next, Settled, beat, complete, settle};
use crate::store::{change, tend};
use states::{Known, Step, Task, after, states, steps};

const WORKERS: [&str; 2] = ["w0", "w1"];
/// Longer than a lease and every pause here.
const LATER: Duration = Duration::from_secs(3_700);

/// The database beside the model, in a transaction that nobody commits.
struct Walk {
    conn: Conn,
    ids: [TaskId; 2],
}

/// Where a walk stands.
#[derive(Clone)]
struct Place {
    known: Known,
    now: Timestamp,
    /// Of the last claim of each task.
    seqs: [i64; 2],
}

impl Walk {
    async fn say(&mut self, sql: &'static str) {
        on!(&mut self.conn, |c| sqlx::query(sql)
            .execute(c)
            .await
            .map(drop))
        .unwrap();
    }

    /// Goes the way, then does every step from its end; answers how many.
    async fn look(mut self, mut place: Place, way: &[Step]) -> usize {
        // The walk before this one may not be rolled back yet: its locks would be skipped.
        self.say("update task set priority = priority").await;
        for step in way {
            place = self.step(&place, *step).await.unwrap();
        }
        self.nothing_stale_is_taken(&place).await;
        let mut done = 0;
        self.say("savepoint walk").await;
        for step in steps(self.conn.engine()) {
            if let Some(next) = self.step(&place, step).await {
                self.compare(&next, step).await;
                self.say("rollback to savepoint walk").await;
                done += 1;
            }
        }
        done
    }

    async fn step(&mut self, place: &Place, step: Step) -> Option<Place> {
        let known = after(&place.known, step)?;
        let mut next = Place {
            known,
            ..place.clone()
        };
        self.take(place, &mut next, step).await;
        Some(next)
    }

    async fn take(&mut self, before: &Place, place: &mut Place, step: Step) {
        let (conn, ids, now) = (&mut self.conn, self.ids, Some(place.now));
        let fence = |task: usize| Fence {
            id: ids[task],
            seq: before.seqs[task],
            lease: before.known.0[task].lease,
        };
        let worker = |task: usize| WORKERS[before.known.0[task].holder.unwrap()];
        match step {
            Step::Claim(worker) => {
                let all = Ranges::default();
                let claimed = claim(conn, now, &wanted(worker), false, &all)
                    .await
                    .unwrap();
                let [claimed] = claimed.tasks.try_into().unwrap();
                let task = ids.iter().position(|id| *id == claimed.id).unwrap();
                // No fence is handed out twice, and no attempt is beyond the last.
                assert_eq!(claimed.lease, before.known.0[task].lease + 1);
                assert!(claimed.attempt <= claimed.max_attempts);
                place.seqs[task] = claimed.seq;
            }
            Step::Beat(task) => {
                let beats = [Beat {
                    fence: fence(task),
                    progress: None,
                }];
                let beaten = beat(conn, now, LEASE, worker(task), &beats).await.unwrap();
                assert!(beaten.len() == 1 && beaten[0].renewed);
                assert_eq!(beaten[0].cancel_requested, before.known.0[task].cancel);
            }
            Step::Complete(task) => {
                let done = done(fence(task), worker(task));
                assert_eq!(
                    complete(conn, now, true, &[done]).await.unwrap(),
                    [fence(task)]
                );
            }
            Step::Settle(task, next) => {
                let settled = settled(fence(task), worker(task), next);
                assert_eq!(settle(conn, now, &[settled]).await.unwrap().len(), 1);
            }
            Step::Cancel(task) => {
                assert!(
                    change::cancel(conn, now, ids[task])
                        .await
                        .unwrap()
                        .is_some()
                );
            }
            Step::Retry(task) => {
                assert!(change::retry(conn, now, ids[task]).await.unwrap().is_some());
            }
            Step::Later => place.now = place.now + LATER,
            Step::Rescue => drop(tend::rescue(conn, now, 10, 40 * LEASE).await.unwrap()),
            Step::Promote => drop(tend::promote(conn, now, 10).await.unwrap()),
            Step::Sweep => assert!(tend::sweep(conn, 10).await.is_ok()),
        }
    }

    async fn compare(&mut self, place: &Place, step: Step) {
        let sql = "select state, attempt, cancel_requested from task_all order by priority";
        let rows: Vec<(i16, i32, bool)> =
            on!(&mut self.conn, |c| sqlx::query_as(sql).fetch_all(c).await).unwrap();
        let model = place
            .known
            .0
            .iter()
            .map(|task| (task.state, task.attempt, task.cancel));
        assert_eq!(
            rows,
            model.collect::<Vec<_>>(),
            "{step:?} {place:?}",
            place = place.known.0
        );
    }

    /// Every fence that ever was, but for those that hold, with every worker.
    async fn nothing_stale_is_taken(&mut self, place: &Place) {
        let mut stale = Vec::new();
        for (task, model) in place.known.0.iter().enumerate() {
            for lease in 0..=model.lease {
                let holder = model.holder.filter(|_| lease == model.lease);
                let others = WORKERS.iter().chain(&["w9"]);
                let others =
                    others.filter(|worker| holder.is_none_or(|holder| WORKERS[holder] != **worker));
                let fence = Fence {
                    id: self.ids[task],
                    seq: place.seqs[task],
                    lease,
                };
                stale.extend(others.map(|worker| (fence, *worker)));
            }
        }
        let now = Some(place.now);
        for worker in ["w0", "w1", "w9"] {
            let of_worker = stale.iter().filter(|(_, stale)| *stale == worker);
            let beats: Vec<Beat> = of_worker
                .map(|(fence, _)| Beat {
                    fence: *fence,
                    progress: None,
                })
                .collect();
            assert!(
                beat(&mut self.conn, now, LEASE, worker, &beats)
                    .await
                    .unwrap()
                    .is_empty()
            );
        }
        let dones: Vec<Done> = stale
            .iter()
            .map(|(fence, worker)| done(*fence, worker))
            .collect();
        assert!(
            complete(&mut self.conn, now, true, &dones)
                .await
                .unwrap()
                .is_empty()
        );
        let settle_all = stale
            .iter()
            .map(|(fence, worker)| settled(*fence, worker, Next::Release));
        assert!(
            settle(&mut self.conn, now, &settle_all.collect::<Vec<_>>())
                .await
                .unwrap()
                .is_empty()
        );
    }
}

fn wanted(worker: usize) -> Request<'static> {
    static NAMES: std::sync::LazyLock<[String; 1]> = std::sync::LazyLock::new(|| ["n".to_owned()]);
    Request {
        queue: "default",
        limit: 1,
        ahead: 0,
        lease: LEASE,
        worker: WORKERS[worker],
        names: &*NAMES,
    }
}

fn done(fence: Fence, worker: &str) -> Done {
    Done {
        fence,
        worker: worker.to_owned(),
        result: None,
    }
}

fn settled(fence: Fence, worker: &str, next: Next) -> Settled {
    Settled {
        fence,
        worker: worker.to_owned(),
        next,
        error: Some(json!({ "at": 1, "attempt": 1, "code": "error" })),
    }
}

both! {
    async fn every_interleaving_ends_each_execution_once_and_no_stale_one_is_taken(db: Db) {
        let bed = Bed::new(db).await;
        let mut ids = Vec::new();
        for (priority, attempts) in [(1, 2), (2, 1)] {
            let mut new = new("n", &json!({}));
            new.priority = Some(priority);
            new.max_attempts = Some(attempts);
            new.timeout = Some(seconds(7 * 24 * 3_600));
            ids.push(bed.tasks.create(new).await.unwrap().id);
        }
        let task = |max_attempts| Task {
            state: 2, attempt: 0, max_attempts, lease: 0, holder: None, due: false, cancel: false,
        };
        let place = Place {
            known: ([task(2), task(1)], true),
            now: cgcg_core::Clock::now(&bed.clock),
            seqs: [0, 0],
        };
        let ids: [TaskId; 2] = ids.try_into().unwrap();
        let mut done = 0;
        for (_, way) in states(&place.known, bed.db.engine()) {
            let conn = bed.db.begin().await.unwrap();
            done += Walk { conn, ids }.look(place.clone(), &way).await;
        }
        assert!(done > 10_000, "{done}");
    }
}
