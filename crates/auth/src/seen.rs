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

    /// Takes back what could not be written, unless something newer was noted.
    pub(crate) fn put_back(&self, seen: &[(Id<Session>, Timestamp)]) {
        let mut noted = self.lock();
        for (session, at) in seen {
            if noted.len() < MOST {
                noted.entry(*session).or_insert(*at);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Id<Session>, Timestamp>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_not_be_written_comes_again_unless_something_newer_did() {
        let at = Timestamp::from_micros;
        let (first, second) = (Id::new(at(1_000)), Id::new(at(2_000)));
        let seen = Seen::default();
        seen.note(first, at(5));
        seen.note(second, at(6));
        let taken = seen.take();
        seen.note(second, at(9));
        seen.put_back(&taken);
        assert_eq!(seen.take(), [(first, at(5)), (second, at(9))]);
    }
}
