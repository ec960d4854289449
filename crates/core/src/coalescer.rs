//! Many callers, one read.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::BoxFuture;

/// How many keys one read is given at most.
const BATCH: usize = 32;

/// Reads rows by key. Whoever asks while a read is under way shares the next one, so a busy server asks its database
/// once for many callers, and a lone caller waits for nobody.
///
/// What a caller gets was read after it asked: nothing is kept from one read to the next.
pub struct Coalescer<K, V>(Arc<[Shard<K, V>]>);

/// As many as threads, and a thread always has the same: whoever waits is then mostly woken by its own thread, which
/// costs far less.
struct Shard<K, V> {
    read: Arc<Read<K, V>>,
    queue: Mutex<Queue<K, V>>,
}

type Read<K, V> = dyn Fn(Vec<K>) -> BoxFuture<'static, sqlx::Result<HashMap<K, V>>> + Send + Sync;

struct Queue<K, V> {
    /// Whether a read is under way.
    busy: bool,
    waiting: Vec<(K, oneshot::Sender<Option<V>>)>,
}

impl<K, V> Coalescer<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    /// `read` gets 1 to 32 keys, some perhaps twice, and answers those that it found.
    pub fn new(
        read: impl Fn(Vec<K>) -> BoxFuture<'static, sqlx::Result<HashMap<K, V>>> + Send + Sync + 'static,
    ) -> Self {
        let read: Arc<Read<K, V>> = Arc::new(read);
        let threads = std::thread::available_parallelism().map_or(1, Into::into);
        let shard = |_| Shard {
            read: read.clone(),
            queue: Mutex::new(Queue {
                busy: false,
                waiting: Vec::new(),
            }),
        };
        Self((0..threads).map(shard).collect())
    }

    /// The row of `key`; `None` where there is none.
    ///
    /// # Errors
    /// Those of the read.
    pub async fn get(&self, key: K) -> sqlx::Result<Option<V>> {
        let number = self.shard();
        let shard = &self.0[number];
        if let Some(answer) = shard.wait(key) {
            // A read that failed, or a thread that ended, drops those who wait: each tries for itself.
            return match answer.await {
                Ok(found) => Ok(found),
                Err(_) => shard.one(key).await,
            };
        }
        let turn = Turn(self.0.clone(), number);
        let found = shard.one(key).await;
        drop(turn);
        found
    }

    fn shard(&self) -> usize {
        let mut hasher = DefaultHasher::new();
        std::thread::current().id().hash(&mut hasher);
        usize::try_from(hasher.finish() % self.0.len() as u64).unwrap_or_default()
    }
}

impl<K: Copy + Eq + Hash, V> Shard<K, V> {
    /// `None` where no read is under way: the caller reads.
    fn wait(&self, key: K) -> Option<oneshot::Receiver<Option<V>>> {
        let mut queue = self.queue();
        if !queue.busy {
            queue.busy = true;
            return None;
        }
        let (sender, receiver) = oneshot::channel();
        queue.waiting.push((key, sender));
        Some(receiver)
    }

    async fn one(&self, key: K) -> sqlx::Result<Option<V>> {
        Ok((self.read)(vec![key]).await?.remove(&key))
    }

    fn queue(&self) -> MutexGuard<'_, Queue<K, V>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to read. Passed on when it is dropped, however the read ended: a caller that leaves stops nobody.
struct Turn<K, V>(Arc<[Shard<K, V>]>, usize)
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static;

impl<K, V> Drop for Turn<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    fn drop(&mut self) {
        let runtime = Handle::try_current();
        let batch: Vec<_> = {
            let mut queue = self.0[self.1].queue();
            let end = queue.waiting.len().min(BATCH);
            if end == 0 || runtime.is_err() {
                queue.busy = false;
                queue.waiting.clear();
                return;
            }
            queue.waiting.drain(..end).collect()
        };
        // Without the lock: a runtime that shuts down drops the task at once, and with it the next turn.
        if let Ok(runtime) = runtime {
            runtime.spawn(Self(self.0.clone(), self.1).serve(batch));
        }
    }
}

impl<K, V> Turn<K, V>
where
    K: Copy + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    async fn serve(self, batch: Vec<(K, oneshot::Sender<Option<V>>)>) {
        let keys = batch.iter().map(|(key, _)| *key).collect();
        let Ok(found) = (self.0[self.1].read)(keys).await else {
            return;
        };
        for (key, answer) in batch {
            // Whoever left needs no answer.
            let _ = answer.send(found.get(&key).cloned());
        }
    }
}
