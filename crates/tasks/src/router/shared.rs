//! What all requests of a process share.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use metrics::gauge;
use tokio::sync::{Mutex as Turn, Semaphore, SemaphorePermit};

use super::queues::Loads;
use crate::Error;

/// Calls that wait at once.
const WAITS: usize = 10_000;
/// Streams that are open at once.
const STREAMS: usize = 1_000;
/// Streams of one caller.
const STREAMS_EACH: usize = 20;

pub(crate) struct Shared {
    pub(super) loads: Loads,
    waits: Semaphore,
    /// Whose turn it is to look for work, for each set of queues and names.
    turns: Mutex<HashMap<String, Weak<Turn<()>>>>,
    /// Open streams of each caller.
    streams: Arc<Mutex<HashMap<String, usize>>>,
}

impl Default for Shared {
    fn default() -> Self {
        Self {
            loads: Loads::default(),
            waits: Semaphore::new(WAITS),
            turns: Mutex::default(),
            streams: Arc::default(),
        }
    }
}

impl Shared {
    /// A place among those who wait, for as long as it lives.
    pub(super) fn wait(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.waits.try_acquire().map_err(|_| Error::TooManyWaiters)
    }

    /// As [`Shared::wait`], for work to come. Who waits for the end of a task is counted where that is heard of.
    pub(super) fn wait_for_work(&self) -> Result<Waiter<'_>, Error> {
        let place = self.wait()?;
        gauge!("cgcg_tasks_waiters").increment(1);
        Ok(Waiter(place))
    }

    /// Of those who wait for the same work one looks for it: a hundred idle clients cost as much as one.
    pub(super) fn turn(&self, work: &str) -> Arc<Turn<()>> {
        let mut turns = lock(&self.turns);
        turns.retain(|_, turn| turn.strong_count() > 0);
        if let Some(turn) = turns.get(work).and_then(Weak::upgrade) {
            return turn;
        }
        let turn = Arc::new(Turn::new(()));
        turns.insert(work.to_owned(), Arc::downgrade(&turn));
        turn
    }

    /// The right to keep one stream open.
    pub(super) fn stream(&self, caller: &str) -> Result<Stream, Error> {
        let mut streams = lock(&self.streams);
        let mine = streams.get(caller).copied().unwrap_or_default();
        if mine >= STREAMS_EACH || streams.values().sum::<usize>() >= STREAMS {
            return Err(Error::TooManyStreams);
        }
        streams.insert(caller.to_owned(), mine + 1);
        gauge!("cgcg_tasks_streams").increment(1);
        Ok(Stream {
            streams: self.streams.clone(),
            caller: caller.to_owned(),
        })
    }
}

/// A place among those who wait for work.
pub(super) struct Waiter<'a>(#[expect(dead_code, reason = "held")] SemaphorePermit<'a>);

impl Drop for Waiter<'_> {
    fn drop(&mut self) {
        gauge!("cgcg_tasks_waiters").decrement(1);
    }
}

/// An open stream.
pub(super) struct Stream {
    streams: Arc<Mutex<HashMap<String, usize>>>,
    caller: String,
}

impl Drop for Stream {
    fn drop(&mut self) {
        gauge!("cgcg_tasks_streams").decrement(1);
        let mut streams = lock(&self.streams);
        match streams.get_mut(&self.caller) {
            Some(mine) if *mine > 1 => *mine -= 1,
            _ => drop(streams.remove(&self.caller)),
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
