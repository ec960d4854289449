//! When which API key was last used, until it is written. A request leaves a note in memory and never waits.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use cgcg_core::{ApiKey, Id, Timestamp};

/// At most one entry for each key that was used in the last minute.
#[derive(Default)]
pub(crate) struct KeyUse(Mutex<HashMap<Id<ApiKey>, Timestamp>>);

impl KeyUse {
    pub(crate) fn note(&self, key: Id<ApiKey>, at: Timestamp) {
        self.lock().insert(key, at);
    }

    /// Hands over what was noted since the last time.
    pub(crate) fn take(&self) -> HashMap<Id<ApiKey>, Timestamp> {
        std::mem::take(&mut *self.lock())
    }

    /// Takes back what could not be written, unless something newer was noted.
    pub(crate) fn put_back(&self, uses: HashMap<Id<ApiKey>, Timestamp>) {
        let mut noted = self.lock();
        for (key, at) in uses {
            noted.entry(key).or_insert(at);
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<Id<ApiKey>, Timestamp>> {
        // Nothing in here stops half way.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
