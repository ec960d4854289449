use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, Weak};

use tokio::sync::{Notify, Semaphore, broadcast, watch};

use super::lock;
use crate::TaskId;

/// Bells inside of one process: of workers that wait for work, one for each queue; of those who keep the queue in
/// order; of those who hold leases.
pub(crate) struct Bells {
    queues: Mutex<Queues>,
    look: Notify,
    scheduled: Notify,
    ticks: Notify,
    ended: Notify,
    asked: broadcast::Sender<TaskId>,
    hears: AtomicBool,
    watched: AtomicBool,
}

/// Queues that anybody may ask for by name: those that nobody waits for any more are forgotten.
#[derive(Default)]
struct Queues {
    all: HashMap<String, Queue>,
    /// How many there may be before it is looked which to forget.
    most: usize,
}

/// It is not looked for less.
const FEW: usize = 64;

impl Queues {
    fn of(&mut self, name: &str) -> &mut Queue {
        if self.all.len() >= self.most.max(FEW) && !self.all.contains_key(name) {
            self.forget();
            // So a look, which takes a step for each, is paid by as many newcomers.
            self.most = self.all.len() * 2;
        }
        self.all.entry(name.to_owned()).or_insert_with(|| Queue {
            bell: watch::Sender::new(()),
            offers: Vec::new(),
        })
    }

    fn forget(&mut self) {
        self.all.retain(|_, queue| {
            let offers = queue.offers.iter();
            queue.bell.receiver_count() > 0
                || offers
                    .map(|offer| offer.places.strong_count())
                    .sum::<usize>()
                    > 0
        });
    }
}

struct Queue {
    bell: watch::Sender<()>,
    /// Of the workers of this process.
    offers: Vec<Offer>,
}

struct Offer {
    places: Weak<Semaphore>,
    /// Sorted.
    names: Arc<[String]>,
}

impl Default for Bells {
    fn default() -> Self {
        Self {
            queues: Mutex::default(),
            look: Notify::new(),
            scheduled: Notify::new(),
            ticks: Notify::new(),
            ended: Notify::new(),
            // Whoever is slower than that hears of the rest by its next heartbeat.
            asked: broadcast::Sender::new(256),
            hears: AtomicBool::new(false),
            watched: AtomicBool::new(false),
        }
    }
}

impl Bells {
    /// This running task was asked to stop.
    pub(crate) fn ask(&self, id: TaskId) {
        // Where nobody listens, nothing runs here.
        let _ = self.asked.send(id);
    }

    /// Hears of running tasks that are asked to stop.
    pub(crate) fn listen_asked(&self) -> broadcast::Receiver<TaskId> {
        self.asked.subscribe()
    }

    /// Hears of work that is ready in `queue` from now on.
    pub(crate) fn listen(&self, queue: &str) -> watch::Receiver<()> {
        self.with(queue, |queue| queue.bell.subscribe())
    }

    /// These places of this process take tasks with these names (sorted) from `queue`, for as long as they are there.
    pub(crate) fn offer(&self, queue: &str, places: &Arc<Semaphore>, names: Arc<[String]>) {
        self.with(queue, |queue| {
            queue.offers.retain(|offer| offer.places.strong_count() > 0);
            queue.offers.push(Offer {
                places: Arc::downgrade(places),
                names,
            });
        });
    }

    /// They take no more.
    pub(crate) fn withdraw(&self, queue: &str, places: &Arc<Semaphore>) {
        let gone = Arc::downgrade(places);
        self.with(queue, |queue| {
            queue.offers.retain(|offer| !offer.places.ptr_eq(&gone));
        });
    }

    fn with<T>(&self, queue: &str, then: impl FnOnce(&mut Queue) -> T) -> T {
        then(lock(&self.queues).of(queue))
    }

    /// Something is ready in `queue`.
    pub(crate) fn ready(&self, queue: &str) {
        if let Some(queue) = lock(&self.queues).all.get(queue) {
            queue.bell.send_replace(());
        }
    }

    /// Whether so many tasks with these names find free places in this process.
    pub(crate) fn takes(&self, queue: &str, names: &BTreeSet<String>, tasks: usize) -> bool {
        let queues = lock(&self.queues);
        let Some(queue) = queues.all.get(queue) else {
            return false;
        };
        let knows = |offer: &&Offer| {
            names
                .iter()
                .all(|name| offer.names.binary_search(name).is_ok())
        };
        let places = queue
            .offers
            .iter()
            .filter(knows)
            .filter_map(|offer| offer.places.upgrade());
        places
            .map(|places| places.available_permits())
            .sum::<usize>()
            >= tasks
    }

    /// The queues that somebody here waits for.
    pub(crate) fn queues(&self) -> Vec<String> {
        let mut queues = lock(&self.queues);
        queues.forget();
        let waited = queues.all.iter();
        let waited = waited.filter(|(_, queue)| queue.bell.receiver_count() > 0);
        waited.map(|(name, _)| name.clone()).collect()
    }

    /// Something else may have written: it is time to look.
    pub(crate) fn look(&self) {
        self.look.notify_one();
    }

    pub(crate) async fn until_look(&self) {
        self.look.notified().await;
    }

    /// Something waits for its time, or is due.
    pub(crate) fn scheduled(&self) {
        self.scheduled.notify_one();
    }

    pub(crate) async fn until_scheduled(&self) {
        self.scheduled.notified().await;
    }

    /// A schedule is due.
    pub(crate) fn tick(&self) {
        self.ticks.notify_one();
    }

    pub(crate) async fn until_tick(&self) {
        self.ticks.notified().await;
    }

    /// Something has ended that does not leave the hot table by itself.
    pub(crate) fn ended(&self) {
        self.ended.notify_one();
    }

    pub(crate) async fn until_ended(&self) {
        self.ended.notified().await;
    }

    /// Whether other processes are heard at once, so that looking now and then is enough.
    pub(crate) fn hears(&self) -> bool {
        self.hears.load(Ordering::Relaxed)
    }

    /// Answers what it was before.
    pub(crate) fn set_hears(&self, hears: bool) -> bool {
        self.hears.swap(hears, Ordering::Relaxed)
    }

    /// Whether somebody in this process looks when what is scheduled is due.
    pub(crate) fn watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    pub(crate) fn set_watched(&self, watched: bool) {
        self.watched.store(watched, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn queues_that_nobody_waits_for_any_more_are_forgotten() {
        let bells = Bells::default();
        let waits: Vec<_> = (0..100)
            .map(|name| bells.listen(&format!("a{name}")))
            .collect();
        for name in 0..10_000 {
            drop(bells.listen(&format!("b{name}")));
        }
        assert!(lock(&bells.queues).all.len() <= 200);
        bells.ready("a7");
        let heard = waits.iter().filter(|bell| bell.has_changed().unwrap());
        assert_eq!(heard.count(), 1, "who waits still hears");
        drop(waits);
        assert!(bells.queues().is_empty());
        assert!(lock(&bells.queues).all.is_empty());
    }
}
