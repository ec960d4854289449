//! Where a claim begins to scan a queue.
//!
//! On PostgreSQL what was taken stays in the index of what is ready until a vacuum, and a transaction that stays open
//! anywhere on the server keeps each vacuum from it. A scan from the first entry on walks all that. So of each priority in
//! which tasks were found the next scan leaves out what is older than the last one, and comes back to it as often as a
//! tenth of the time allows: a task may become ready there, by a retry or a late commit.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cgcg_core::{Clock, Conn, Engine};

use crate::micros;
use crate::store::Now;
use crate::store::claim::{Claimed, Ranges, Request, Scan, claim};

/// A full scan that is over so soon needs no floor.
const CHEAP: Duration = Duration::from_millis(5);
/// A full scan holds the next one off for so many times its duration.
const PAUSE: u32 = 10;
/// The longest such pause.
const LONGEST: Duration = Duration::from_secs(10);
/// A task becomes visible a little later than its time says: with the commit.
const MARGIN: Duration = Duration::from_millis(250);
/// Readers, and priorities of one, that are kept in mind. With more, it begins anew.
const READERS: usize = 256;
const PRIORITIES: usize = 32;

/// Claims that ask for the same: the queue, the names, and whether they hold its gate.
type Reader = (String, Vec<String>, bool);

struct Floor {
    /// What could have been taken before this time of the database is left out.
    from: i64,
    /// Until this monotonic time. Then it is scanned in full.
    until: Duration,
    /// Changes with each full scan, so that a scan that began before one does not undo what that found.
    turn: u64,
}

/// The floors that a scan keeps to: where, and their turns.
type Kept = BTreeMap<i16, (i64, u64)>;

pub(crate) struct Floors {
    clock: Arc<dyn Clock>,
    known: Mutex<HashMap<Reader, BTreeMap<i16, Floor>>>,
}

/// What a claim found.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) tasks: Vec<Claimed>,
    /// A part was left out: after this time it is not.
    pub(crate) again: Option<Duration>,
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
            let scan = claim(conn, now, wanted, held, &Ranges::default()).await?;
            return Ok(Found {
                tasks: scan.tasks,
                again: None,
            });
        }
        let reader = reader(wanted, held);
        let begun = self.clock.monotonic();
        let kept = self.begin(&reader, begun);
        let ranges = kept.iter().map(|(priority, (from, _))| (*priority, *from));
        let scan = claim(conn, now, wanted, held, &ranges.collect()).await?;
        let full = i64::try_from(scan.tasks.len()).is_ok_and(|tasks| tasks >= wanted.most(held));
        let last = scan.tasks.last().filter(|_| full);
        let again = self.end(reader, begun, &kept, &scan, last);
        Ok(Found {
            tasks: scan.tasks,
            again: again.filter(|_| !full),
        })
    }

    /// For a claim that was refused because the queue has limits: it saw nothing, whatever its floors say now.
    pub(crate) fn forget(&self, wanted: &Request<'_>) {
        self.lock().remove(&reader(wanted, false));
    }

    /// The floors that a scan keeps to that begins `now`. Where their time is over it scans in full, and nobody else does
    /// so for a while, should it fail.
    fn begin(&self, reader: &Reader, now: Duration) -> Kept {
        let mut known = self.lock();
        let mut kept = Kept::new();
        for (priority, floor) in known.get_mut(reader).into_iter().flatten() {
            if now < floor.until {
                kept.insert(*priority, (floor.from, floor.turn));
            } else {
                floor.until = now + LONGEST;
                floor.turn += 1;
            }
        }
        kept
    }

    /// After a scan; `last` is where it stopped because it had enough. Answers when what it left out is scanned again.
    fn end(
        &self,
        reader: Reader,
        begun: Duration,
        kept: &Kept,
        scan: &Scan,
        last: Option<&Claimed>,
    ) -> Option<Duration> {
        let now = self.clock.monotonic();
        let took = now.saturating_sub(begun);
        let mut known = self.lock();
        if known.len() >= READERS && !known.contains_key(&reader) {
            known.clear();
        }
        let floors = known.entry(reader.clone()).or_default();
        for task in &scan.tasks {
            floors.entry(task.priority).or_insert(Floor {
                from: i64::MIN,
                until: Duration::ZERO,
                turn: 0,
            });
        }
        floors.retain(|priority, floor| {
            let end = match last {
                Some(last) if *priority == last.priority => last.run_at.micros(),
                Some(last) if *priority > last.priority => {
                    // Not reached. Whoever comes so far scans all of it, where this one should have.
                    if !kept.contains_key(priority) {
                        floor.until = Duration::ZERO;
                    }
                    return true;
                }
                _ => scan.at,
            };
            match kept.get(priority) {
                Some((_, turn)) if *turn != floor.turn => {}
                Some(_) => floor.from = end - micros(MARGIN),
                None if took < CHEAP => return false,
                None => {
                    floor.from = end - micros(MARGIN);
                    floor.until = now + (PAUSE * took).min(LONGEST);
                    floor.turn += 1;
                }
            }
            true
        });
        let until = |priority| floors.get(priority).map_or(now, |floor| floor.until);
        let again = kept.keys().map(until).min();
        if floors.is_empty() || floors.len() > PRIORITIES {
            known.remove(&reader);
        }
        again.map(|again| again.saturating_sub(now))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Reader, BTreeMap<i16, Floor>>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn reader(wanted: &Request<'_>, held: bool) -> Reader {
    let mut names = wanted.names.to_vec();
    names.sort_unstable();
    (wanted.queue.to_owned(), names, held)
}
