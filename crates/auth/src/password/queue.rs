use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use cgcg_core::Secret;
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::pool::{Lane, Load};
use super::scheme::Scheme;
use super::worker::{Memory, start};

/// How many may wait for each thread.
const WAITING_PER_THREAD: usize = 8;
/// One password to be hashed.
pub(super) struct Job {
    pub(super) password: Secret<String>,
    pub(super) scheme: Scheme,
    pub(super) lane: Lane,
    /// Dropped unsent where there was no memory.
    pub(super) reply: oneshot::Sender<Zeroizing<Vec<u8>>>,
}

/// Who waits, who works, and how much memory is left. First come, first served.
pub(super) struct Queue {
    state: Mutex<State>,
    wake: Condvar,
    threads: usize,
    memory_kib: u32,
    /// The most that a thread keeps from one job to the next, and how long without one.
    keep_kib: u32,
    keep: Duration,
}

struct State {
    waiting: VecDeque<(u64, Job)>,
    /// The number of the next ticket.
    next: u64,
    live: usize,
    idle: usize,
    running: usize,
    free_kib: u32,
    /// Held by threads that are idle; they give it back when somebody else needs it.
    kept_kib: u32,
    closed: bool,
}

impl Queue {
    /// `threads` work in `memory_kib` together. Each keeps up to `keep_kib` for as long as `keep` without work.
    pub(super) fn new(threads: usize, memory_kib: u32, keep_kib: u32, keep: Duration) -> Self {
        let state = State {
            waiting: VecDeque::new(),
            next: 0,
            live: 0,
            idle: 0,
            running: 0,
            free_kib: memory_kib,
            kept_kib: 0,
            closed: false,
        };
        Self {
            state: Mutex::new(state),
            wake: Condvar::new(),
            threads,
            memory_kib,
            keep_kib,
            keep,
        }
    }

    /// Puts a job at the end; `None` where there is no place.
    pub(super) fn enter(self: &Arc<Self>, job: Job) -> Option<Ticket> {
        let mut state = self.lock();
        let limit = self.threads * WAITING_PER_THREAD;
        let full = self.is_full_at(&state);
        let registering = state
            .waiting
            .iter()
            .filter(|(_, job)| job.lane == Lane::Register)
            .count();
        if full || job.lane == Lane::Register && registering >= limit / 2 {
            return None;
        }
        let number = state.next;
        state.next += 1;
        state.waiting.push_back((number, job));
        let more = state.idle < state.waiting.len() && state.live < self.threads;
        state.live += usize::from(more);
        drop(state);
        self.wake.notify_one();
        if more && start(Seat::new(self)).is_err() && self.lock().live == 0 {
            // Nobody is there to do it; without the job, the answer is that we are overloaded.
            self.lock().waiting.retain(|(other, _)| *other != number);
        }
        Some(Ticket {
            queue: Arc::clone(self),
            number,
        })
    }

    /// Whether nothing more would be taken now.
    pub(super) fn is_full(&self) -> bool {
        self.is_full_at(&self.lock())
    }

    fn is_full_at(&self, state: &State) -> bool {
        let most = self.threads * (1 + WAITING_PER_THREAD);
        state.waiting.len() + state.running >= most
    }

    /// Lets the threads end.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.wake.notify_all();
    }

    pub(super) fn load(&self) -> Load {
        let state = self.lock();
        Load {
            queued: state.waiting.len(),
            running: state.running,
            threads: state.live,
            memory_bytes: (self.memory_kib - state.free_kib) as usize * 1_024,
        }
    }

    /// A thread whose part a test plays.
    #[cfg(test)]
    pub(super) fn sit(self: &Arc<Self>) -> Seat {
        self.lock().live += 1;
        Seat::new(self)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A place in the queue. Who leaves it (a client that went away drops its future) gives it to others; a job that runs
/// already goes on, and so keeps its memory to itself.
pub(super) struct Ticket {
    queue: Arc<Queue>,
    number: u64,
}

impl Ticket {
    /// Takes the job out of the queue; `false` where its turn had come.
    pub(super) fn withdraw(&self) -> bool {
        let mut state = self.queue.lock();
        let place = state
            .waiting
            .iter()
            .position(|(number, _)| *number == self.number);
        let job = place.and_then(|place| state.waiting.remove(place));
        let others = !state.waiting.is_empty();
        drop(state);
        if job.is_some() && others {
            // The next in line may fit where this one did not.
            self.queue.wake.notify_one();
        }
        job.is_some()
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// One thread at the queue, with what it holds. Given back however the thread ends.
pub(super) struct Seat {
    queue: Arc<Queue>,
    pub(super) memory: Memory,
    running: bool,
}

impl Seat {
    fn new(queue: &Arc<Queue>) -> Self {
        Self {
            queue: Arc::clone(queue),
            memory: Memory::default(),
            running: false,
        }
    }

    /// Waits for a job and for the memory that it needs; `None` when the pool is gone.
    pub(super) fn next(&mut self) -> Option<Job> {
        let queue = Arc::clone(&self.queue);
        let mut state = queue.lock();
        state.running -= usize::from(std::mem::take(&mut self.running));
        loop {
            if state.closed {
                return None;
            }
            let held = self.memory.kib();
            let need = state
                .waiting
                .front()
                .map(|(_, job)| job.scheme.memory_kib());
            let fits = need.is_some_and(|need| need <= held + state.free_kib);
            if held > queue.keep_kib || (need.is_some() && !fits && held > 0) {
                state = self.release(&queue, state);
            } else if fits {
                return self.take(&mut state);
            } else {
                state = self.wait(&queue, state);
            }
        }
    }

    fn take(&mut self, state: &mut State) -> Option<Job> {
        let (_, job) = state.waiting.pop_front()?;
        let held = self.memory.kib();
        let need = job.scheme.memory_kib().max(held);
        state.free_kib -= need - held;
        self.memory.claim(need);
        state.running += 1;
        self.running = true;
        Some(job)
    }

    /// Gives the memory back, first to the system and then to the others. Not under the lock: it takes a millisecond.
    fn release<'a>(
        &mut self,
        queue: &'a Queue,
        state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        drop(state);
        let kib = self.memory.release();
        let mut state = queue.lock();
        state.free_kib += kib;
        queue.wake.notify_all();
        state
    }

    fn wait<'a>(
        &mut self,
        queue: &'a Queue,
        mut state: MutexGuard<'a, State>,
    ) -> MutexGuard<'a, State> {
        if !state.waiting.is_empty() && state.kept_kib > 0 {
            // The first in line does not fit, and idle threads hold what it lacks.
            queue.wake.notify_all();
        }
        let held = self.memory.kib();
        state.idle += 1;
        state.kept_kib += held;
        let mut idle_for_long = false;
        if held > 0 {
            // Whoever holds memory is here only while nobody waits.
            let nothing_to_do = |state: &mut State| state.waiting.is_empty() && !state.closed;
            let outcome = queue
                .wake
                .wait_timeout_while(state, queue.keep, nothing_to_do);
            let outcome = outcome.unwrap_or_else(PoisonError::into_inner);
            (state, idle_for_long) = (outcome.0, outcome.1.timed_out());
        } else {
            state = queue
                .wake
                .wait(state)
                .unwrap_or_else(PoisonError::into_inner);
        }
        state.idle -= 1;
        state.kept_kib -= held;
        if idle_for_long {
            self.release(queue, state)
        } else {
            state
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let kib = self.memory.release();
        let mut state = self.queue.lock();
        state.free_kib += kib;
        state.live -= 1;
        state.running -= usize::from(self.running);
        drop(state);
        self.queue.wake.notify_all();
    }
}
