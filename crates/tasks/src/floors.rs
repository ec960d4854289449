//! Where a claim begins to look.
//!
//! On PostgreSQL what was taken stays in the index of what is ready until a vacuum, and a transaction that stays open
//! anywhere on the server keeps each vacuum from it. A claim from the first entry on walks all that. So the next one begins
//! shortly before the place where the last one ended, and from the first entry on as often as a tenth of the time allows:
//! for what became ready behind it.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cgcg_core::{Clock, Conn, Engine};

use crate::micros;
use crate::store::Now;
use crate::store::claim::{Claimed, Ranges, Request, claim};

/// A look at all that is over so soon is no matter.
const CHEAP: Duration = Duration::from_millis(5);
/// So many times as long as the last look at all took, no other one does.
const PAUSE: u32 = 10;
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(10);
/// What is stored together has not quite the order of its times.
const MARGIN: Duration = Duration::from_millis(250);
/// Queues and priorities that are kept in mind. Where there are more, all is looked at.
const MOST: usize = 256;
const PRIORITIES: usize = 32;

/// Those who look for the same.
pub(crate) type Reader = (String, Vec<String>);

#[derive(Default)]
struct Floor {
    /// Of each priority, before which time nothing is to be found.
    starts: BTreeMap<i16, i64>,
    /// When all is looked at again; monotonic.
    whole_at: Duration,
}

pub(crate) struct Floors {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Reader, Floor>>,
}

/// What a claim found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) tasks: Vec<Claimed>,
    /// There may be more, at a place where it did not look.
    pub(crate) partly: bool,
}

impl Floors {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            known: Mutex::default(),
        }
    }

    /// Takes ready tasks; `held` by whoever holds the gate of the queue.
    pub(crate) async fn claim(
        &self,
        conn: &mut Conn,
        now: Now,
        wanted: &Request<'_>,
        held: bool,
    ) -> sqlx::Result<Found> {
        if conn.engine() == Engine::Sqlite {
            let tasks = claim(conn, now, wanted, held, &Ranges::from(&BTreeMap::new())).await?;
            return Ok(Found {
                tasks,
                partly: false,
            });
        }
        let reader = (wanted.queue.to_owned(), wanted.names.to_vec());
        let begun = self.clock.monotonic();
        let starts = self.starts(&reader, begun);
        let tasks = claim(conn, now, wanted, held, &Ranges::from(&starts)).await?;
        let full = i64::try_from(tasks.len()).is_ok_and(|tasks| tasks >= wanted.most(held));
        let whole = starts.is_empty();
        let took = self.clock.monotonic().saturating_sub(begun);
        self.note(reader, begun + took, whole.then_some(took), &tasks, full);
        Ok(Found {
            tasks,
            partly: !whole && !full,
        })
    }

    /// Empty: all is to be looked at.
    fn starts(&self, reader: &Reader, now: Duration) -> BTreeMap<i16, i64> {
        let known = self.lock();
        let floor = known.get(reader).filter(|floor| now < floor.whole_at);
        floor.map(|floor| floor.starts.clone()).unwrap_or_default()
    }

    /// After a claim that ended `now`; `whole` is how long a look at all took, and `full` that there may be more behind it.
    pub(crate) fn note(
        &self,
        reader: Reader,
        now: Duration,
        whole: Option<Duration>,
        tasks: &[Claimed],
        full: bool,
    ) {
        let mut known = self.lock();
        if whole.is_some_and(|took| took < CHEAP) {
            known.remove(&reader);
            return;
        }
        if known.len() >= MOST && !known.contains_key(&reader) {
            known.clear();
        }
        let floor = known.entry(reader).or_default();
        if let Some(took) = whole {
            floor.whole_at = now + (PAUSE * took).min(LONGEST);
            // Of this one not all was looked at, so it may begin earlier than was known.
            if let Some(last) = tasks.last().filter(|_| full) {
                floor.starts.remove(&last.priority);
            }
        }
        for task in tasks {
            let start = task.run_at.micros() - micros(MARGIN);
            let known = floor.starts.entry(task.priority).or_insert(start);
            *known = start.max(*known);
        }
        if floor.starts.len() > PRIORITIES {
            floor.starts.clear();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reader, Floor>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
