//! Claims from a queue with limits.
//!
//! Whoever claims holds the queue's row until its transaction ends, so what is counted stays true: limits hold for all
//! processes together, from the commit that sets them on.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cgcg_core::Conn;

use crate::floors::{Floors, Found};
use crate::limits::Bucket;
use crate::store::claim::{Claimed, Request};
use crate::store::queue::{self, QueueInDb};
use crate::store::{self, Now, lane};

/// Keys looked at in one statement.
const LANES: i64 = 64;
/// Such statements in one claim, where all the keys that are looked at have no room.
const ROUNDS: usize = 8;

/// What a claim brought.
#[derive(Debug, Default)]
pub(crate) struct Taken {
    pub(crate) tasks: Vec<Claimed>,
    /// Whether limits kept it from more: then the end of a task makes room.
    pub(crate) limited: bool,
    /// A part was left out: after this time it is not.
    pub(crate) again: Option<Duration>,
}

/// At which key the last claim of each queue stopped, so that the next one goes on there and none is left out.
#[derive(Default)]
pub(crate) struct Places(Mutex<HashMap<String, String>>);

impl Places {
    fn get(&self, queue: &str) -> String {
        let places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.get(queue).cloned().unwrap_or_default()
    }

    fn set(&self, queue: &str, key: &str) {
        let mut places = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        places.insert(queue.to_owned(), key.to_owned());
    }
}

/// Takes ready tasks; of a queue with limits as many as they allow.
pub(crate) async fn take(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    places: &Places,
    floors: &Floors,
) -> sqlx::Result<Taken> {
    if let Some(taken) = take_without_limits(conn, now, wanted, floors).await? {
        return Ok(taken);
    }
    let queue = queue::gate(conn, wanted.queue).await?;
    let found = match queue.filter(|queue| queue.gated && !queue.paused) {
        Some(queue) => within(conn, now, wanted, &queue, places, floors).await?,
        None => Found::default(),
    };
    Ok(Taken {
        tasks: found.tasks,
        limited: true,
        again: found.again,
    })
}

/// As [`take`], where the queue has no limits, with one statement that writes; `None` where it has.
pub(crate) async fn take_without_limits(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    floors: &Floors,
) -> sqlx::Result<Option<Taken>> {
    let Found { tasks, again } = floors.claim(conn, now, wanted, false).await?;
    // The claim finds nothing where there are limits: it looks at them in its own statement.
    if tasks.is_empty() {
        let queue = queue::find(conn, wanted.queue).await?;
        if queue.is_some_and(|queue| queue.gated) {
            floors.forget(wanted);
            return Ok(None);
        }
    }
    Ok(Some(Taken {
        tasks,
        limited: false,
        again,
    }))
}

async fn within(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    queue: &QueueInDb,
    places: &Places,
    floors: &Floors,
) -> sqlx::Result<Found> {
    let time = store::time(conn, now).await?.micros();
    let mut room = wanted.limit;
    if let Some(most) = queue.max_running {
        room = room.min(most - queue::running(conn, wanted.queue).await?);
    }
    if let Some(bucket) = queue.bucket() {
        room = room.min(bucket.tokens(time, queue.rate_tat));
    }
    if room <= 0 {
        return Ok(Found::default());
    }
    let wanted = Request {
        limit: room,
        ..wanted.clone()
    };
    let found = match queue.keyed {
        true => Found {
            tasks: by_key(conn, now, &wanted, queue, time, places).await?,
            again: None,
        },
        false => floors.claim(conn, now, &wanted, true).await?,
    };
    if let (Some(bucket), false) = (queue.bucket(), found.tasks.is_empty()) {
        let full_at = bucket.spend(time, queue.rate_tat, count(&found.tasks));
        queue::spend(conn, wanted.queue, full_at).await?;
    }
    Ok(found)
}

async fn by_key(
    conn: &mut Conn,
    now: Now,
    wanted: &Request<'_>,
    queue: &QueueInDb,
    time: i64,
    places: &Places,
) -> sqlx::Result<Vec<Claimed>> {
    let mut first = places.get(wanted.queue);
    for _ in 0..ROUNDS {
        let lanes = lane::list(conn, wanted.queue, &first, LANES).await?;
        let rooms: Vec<_> = lanes
            .iter()
            .map(|lane| (lane.k.clone(), queue.room(lane, wanted.limit, time)))
            .filter(|(_, room)| *room > 0)
            .collect();
        let more = i64::try_from(lanes.len()).is_ok_and(|lanes| lanes == LANES);
        let last = lanes.last().filter(|_| more).map(|lane| lane.k.clone());
        places.set(wanted.queue, last.as_deref().unwrap_or_default());
        let mut tasks = Vec::new();
        if !rooms.is_empty() {
            tasks = lane::claim(conn, now, wanted, &rooms).await?;
        }
        if let (Some(bucket), false) = (queue.key_bucket(), tasks.is_empty()) {
            for lane in lanes {
                let mine = tasks
                    .iter()
                    .filter(|task| task.conc_key.as_ref() == Some(&lane.k));
                let mine = i64::try_from(mine.count()).unwrap_or_default();
                if mine > 0 {
                    let full_at = bucket.spend(time, lane.tat, mine);
                    queue::spend_key(conn, wanted.queue, &lane.k, full_at).await?;
                }
            }
        }
        // Where it began in the middle and found nothing, the keys before that are left.
        let whole = first.is_empty() && last.is_none();
        if !tasks.is_empty() || whole {
            return Ok(tasks);
        }
        first = last.unwrap_or_default();
    }
    Ok(Vec::new())
}

fn count(tasks: &[Claimed]) -> i64 {
    i64::try_from(tasks.len()).unwrap_or(i64::MAX)
}

impl QueueInDb {
    fn bucket(&self) -> Option<Bucket> {
        bucket(self.rate_n, self.rate_us)
    }

    fn key_bucket(&self) -> Option<Bucket> {
        bucket(self.key_rate_n, self.key_rate_us)
    }

    /// How many of one key may start.
    fn room(&self, lane: &lane::Lane, most: i64, time: i64) -> i64 {
        let of_key = self.max_per_key.map(|most| most - lane.running);
        let of_rate = self
            .key_bucket()
            .map(|bucket| bucket.tokens(time, lane.tat));
        most.min(of_key.unwrap_or(most))
            .min(of_rate.unwrap_or(most))
    }
}

fn bucket(n: Option<i64>, per_us: Option<i64>) -> Option<Bucket> {
    n.zip(per_us).map(|(n, per_us)| Bucket { n, per_us })
}
