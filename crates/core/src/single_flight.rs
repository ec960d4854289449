//! Many callers with one question, one answer.

use std::collections::HashMap;
use std::hash::Hash;
use std::mem;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::runtime::Handle;
use tokio::sync::oneshot;

use crate::BoxFuture;

/// Answers questions from the database. Whoever asks what is being read at that moment shares the next read of it with
/// all others who do; other questions are not held up.
///
/// What a caller gets was read after it asked: nothing is kept from one read to the next.
pub struct SingleFlight<K, V>(Arc<Inner<K, V>>);

struct Inner<K, V> {
    read: Box<Read<K, V>>,
    /// A question is here as long as it is being read.
    waiting: Mutex<HashMap<K, Vec<oneshot::Sender<V>>>>,
}

type Read<K, V> = dyn Fn(K) -> BoxFuture<'static, sqlx::Result<V>> + Send + Sync;

impl<K, V> SingleFlight<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    /// `read` answers one question.
    pub fn new(
        read: impl Fn(K) -> BoxFuture<'static, sqlx::Result<V>> + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(Inner {
            read: Box::new(read),
            waiting: Mutex::default(),
        }))
    }

    /// The answer.
    ///
    /// # Errors
    /// Those of the read.
    pub async fn get(&self, key: K) -> sqlx::Result<V> {
        if let Some(answer) = self.0.wait(&key) {
            // A read that failed drops those who wait: each tries for itself.
            return match answer.await {
                Ok(answer) => Ok(answer),
                Err(_) => (self.0.read)(key).await,
            };
        }
        let flight = Flight(self.0.clone(), key);
        let answer = (self.0.read)(flight.1.clone()).await;
        drop(flight);
        answer
    }
}

impl<K: Clone + Eq + Hash, V> Inner<K, V> {
    /// `None` where nobody reads it: the caller does.
    fn wait(&self, key: &K) -> Option<oneshot::Receiver<V>> {
        let mut waiting = self.waiting();
        let Some(others) = waiting.get_mut(key) else {
            waiting.insert(key.clone(), Vec::new());
            return None;
        };
        let (sender, receiver) = oneshot::channel();
        others.push(sender);
        Some(receiver)
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<K, Vec<oneshot::Sender<V>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A read under way. When it is dropped, however it ended, those who wait get theirs: a caller that leaves stops nobody.
struct Flight<K, V>(Arc<Inner<K, V>>, K)
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static;

impl<K, V> Drop for Flight<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    fn drop(&mut self) {
        let runtime = Handle::try_current();
        let callers = {
            let mut waiting = self.0.waiting();
            let callers = waiting.get_mut(&self.1).map(mem::take).unwrap_or_default();
            if callers.is_empty() || runtime.is_err() {
                waiting.remove(&self.1);
                return;
            }
            callers
        };
        // Without the lock: a runtime that shuts down drops the task at once, and with it the next flight.
        if let Ok(runtime) = runtime {
            runtime.spawn(Self(self.0.clone(), self.1.clone()).serve(callers));
        }
    }
}

impl<K, V> Flight<K, V>
where
    K: Clone + Eq + Hash + Send + Sync + 'static,
    V: Clone + Send + 'static,
{
    async fn serve(self, callers: Vec<oneshot::Sender<V>>) {
        let Ok(answer) = (self.0.read)(self.1.clone()).await else {
            return;
        };
        for caller in callers {
            // Whoever left needs no answer.
            let _ = caller.send(answer.clone());
        }
    }
}
