//! What is written for many callers at once.

mod shared;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Batch, BoxFuture, Conn};
use metrics::histogram;

use crate::Created;
use crate::floors::Floors;
use crate::gate::{Places, Taken, take, take_without_limits};
use crate::service::create::{Wanted, create_all};
use crate::store;
use crate::store::claim::Request;
use crate::store::lease::{Beat, Beaten, Done, Fence, Moved, Settled};
pub(crate) use shared::Shared;

/// Each item is a list of tasks, stored all or none.
pub(crate) struct Create(pub(crate) Shared);

impl Batch for Create {
    type Item = Vec<Wanted>;
    type Answer = Vec<Created>;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Vec<Wanted>],
    ) -> BoxFuture<'a, sqlx::Result<Vec<Vec<Created>>>> {
        Box::pin(async move {
            let wanted: Vec<&Wanted> = items.iter().flatten().collect();
            histogram!("cgcg_tasks_batch_size", "op" => "create").record(wanted.len() as f64);
            let mut created = create_all(&self.0, conn, &wanted).await?.into_iter();
            let lists = items
                .iter()
                .map(|list| created.by_ref().take(list.len()).collect());
            Ok(lists.collect())
        })
    }

    fn write_in_one<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Vec<Wanted>],
    ) -> BoxFuture<'a, sqlx::Result<Option<Vec<Vec<Created>>>>> {
        Box::pin(async move {
            let keyed = |wanted: &Wanted| wanted.row.unique_key.is_some();
            match items.iter().flatten().any(keyed) {
                true => Ok(None),
                false => self.write(conn, items).await.map(Some),
            }
        })
    }

    fn size(&self, item: &Vec<Wanted>) -> usize {
        item.iter().map(|wanted| wanted.row.payload.len()).sum()
    }
}

/// What one worker wants of one queue.
pub(crate) struct Claim {
    pub(crate) shared: Shared,
    pub(crate) places: Places,
    pub(crate) floors: Floors,
}

pub(crate) struct ClaimItem {
    pub(crate) queue: Arc<str>,
    pub(crate) limit: usize,
    /// So many more, where the queue has no limits.
    pub(crate) ahead: usize,
    pub(crate) lease: Duration,
    pub(crate) worker: Arc<str>,
    pub(crate) names: Arc<[String]>,
}

impl Batch for Claim {
    type Item = ClaimItem;
    type Answer = Taken;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [ClaimItem],
    ) -> BoxFuture<'a, sqlx::Result<Vec<Taken>>> {
        Box::pin(async move {
            // In one order, or two transactions that hold the gates of two queues would wait for each other.
            let mut order: Vec<usize> = (0..items.len()).collect();
            order.sort_by_key(|index| &items[*index].queue);
            let mut answers: Vec<_> = items.iter().map(|_| Taken::default()).collect();
            for index in order {
                let wanted = items[index].request();
                let now = self.shared.now(conn);
                answers[index] = take(conn, now, &wanted, &self.places, &self.floors).await?;
            }
            Ok(answers)
        })
    }

    fn write_in_one<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [ClaimItem],
    ) -> BoxFuture<'a, sqlx::Result<Option<Vec<Taken>>>> {
        Box::pin(async move {
            let [item] = items else { return Ok(None) };
            let now = self.shared.now(conn);
            let taken = take_without_limits(conn, now, &item.request(), &self.floors).await?;
            Ok(taken.map(|taken| vec![taken]))
        })
    }
}

impl ClaimItem {
    fn request(&self) -> Request<'_> {
        Request {
            queue: &self.queue,
            limit: i64::try_from(self.limit).unwrap_or(i64::MAX),
            ahead: i64::try_from(self.ahead).unwrap_or_default(),
            lease: self.lease,
            worker: &self.worker,
            names: &self.names,
        }
    }
}

/// Answers whether the lease held.
pub(crate) struct Complete(pub(crate) Shared);

impl Batch for Complete {
    type Item = Done;
    type Answer = bool;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Done],
    ) -> BoxFuture<'a, sqlx::Result<Vec<bool>>> {
        Box::pin(async move {
            histogram!("cgcg_tasks_batch_size", "op" => "complete").record(items.len() as f64);
            if self.0.relaxed_complete {
                store::lease::relax(conn).await?;
            }
            let (now, keep) = (self.0.now(conn), self.0.keep_payload);
            let ended = store::lease::complete(conn, now, keep, items).await?;
            let ended: HashSet<Fence> = ended.into_iter().collect();
            let held = |done: &&Done| ended.contains(&done.fence);
            let ids = items
                .iter()
                .filter(held)
                .map(|done| done.fence.id)
                .collect();
            self.0.ring_succeeded(conn, ids).await?;
            Ok(items.iter().map(|done| held(&done)).collect())
        })
    }

    fn write_in_one<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Done],
    ) -> BoxFuture<'a, sqlx::Result<Option<Vec<bool>>>> {
        Box::pin(async move {
            match self.0.relaxed_complete || self.0.announcer.tells_success() {
                true => Ok(None),
                false => self.write(conn, items).await.map(Some),
            }
        })
    }

    fn size(&self, item: &Done) -> usize {
        item.result.as_ref().map_or(0, String::len)
    }
}

/// Answers where the task went; `None` where the lease did not hold.
pub(crate) struct Settle(pub(crate) Shared);

impl Batch for Settle {
    type Item = Settled;
    type Answer = Option<Moved>;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Settled],
    ) -> BoxFuture<'a, sqlx::Result<Vec<Option<Moved>>>> {
        Box::pin(async move {
            histogram!("cgcg_tasks_batch_size", "op" => "settle").record(items.len() as f64);
            let now = self.0.now(conn);
            let moved = store::lease::settle(conn, now, items).await?;
            let ended = moved.iter().map(|task| (task.id, task.state));
            self.0.ring_ended(conn, ended).await?;
            let ready = moved.iter().filter(|task| task.state == 2);
            self.0
                .ring_ready(conn, ready.map(|task| task.queue.as_str()));
            if moved.iter().any(|task| task.state == 1) {
                self.0.ring_scheduled(conn);
            }
            let mut moved = store::lease::by_fence(moved);
            Ok(items.iter().map(|item| moved.remove(&item.fence)).collect())
        })
    }

    fn write_in_one<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [Settled],
    ) -> BoxFuture<'a, sqlx::Result<Option<Vec<Option<Moved>>>>> {
        Box::pin(async move {
            match self.0.announcer.tells_anybody() {
                true => Ok(None),
                false => self.write(conn, items).await.map(Some),
            }
        })
    }
}

/// The signs of life of one worker.
pub(crate) struct Beats(pub(crate) Shared);

pub(crate) struct BeatItem {
    pub(crate) worker: Arc<str>,
    pub(crate) lease: Duration,
    pub(crate) beats: Vec<Beat>,
}

impl Batch for Beats {
    type Item = BeatItem;
    type Answer = Vec<Beaten>;

    fn write<'a>(
        &'a self,
        conn: &'a mut Conn,
        items: &'a [BeatItem],
    ) -> BoxFuture<'a, sqlx::Result<Vec<Vec<Beaten>>>> {
        Box::pin(async move {
            let beats: usize = items.iter().map(|item| item.beats.len()).sum();
            histogram!("cgcg_tasks_batch_size", "op" => "beat").record(beats as f64);
            let mut answers = Vec::with_capacity(items.len());
            for item in items {
                let now = self.0.now(conn);
                answers.push(
                    store::lease::beat(conn, now, item.lease, &item.worker, &item.beats).await?,
                );
            }
            Ok(answers)
        })
    }
}
