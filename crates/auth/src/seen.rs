//! When sessions were used, until that is written: once a minute for all of them, not once for each use.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use cgcg_core::{Id, Session, Timestamp};

/// More sessions than that in a minute are seen at their next use.
const MOST: usize = 10_000;

/// Uses that wait to be written.
#[derive(Default)]
pub(crate) struct Seen(Mutex<HashMap<Id<Session>, Timestamp>>);

impl Seen {
    pub(crate) fn note(&self, session: Id<Session>, now: Timestamp) {
        let mut seen = self.lock();
        if seen.len() < MOST || seen.contains_key(&session) {
            seen.insert(session, now);
        }
    }

    /// All that waits, in the order of their ids: two nodes that write the same rows take them in one order.
    pub(crate) fn take(&self) -> Vec<(Id<Session>, Timestamp)> {
        let mut seen: Vec<_> = std::mem::take(&mut *self.lock()).into_iter().collect();
        seen.sort_by_key(|(session, _)| session.uuid());
        seen
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id<Session>, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
