//! Principals of tokens that were checked a moment ago.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use cgcg_core::{ApiKey, Id, Principal, Proof, Session, Timestamp, User};
use uuid::Uuid;

/// Locks that share the work, so that threads seldom wait for each other.
const SHARDS: usize = 16;
/// 10,000 tokens in all.
const PER_SHARD: usize = 625;
/// Accounts whose last bytes are alike share a count of changes.
const STRIPES: usize = 256;
/// Behind the stripes: the count of all changes, for what is read before its account is known.
const ANY: usize = STRIPES;

/// SHA-256 of a token: the cache holds no token.
pub(crate) type Key = [u8; 32];

/// At most 10,000 principals, each until its token ends or its state is too old. Cleared of a session or an account
/// in the moment that the change is committed.
pub(crate) struct Cache {
    shards: [Mutex<HashMap<Key, Entry>>; SHARDS],
    changes: [AtomicU64; STRIPES + 1],
}

struct Entry {
    principal: Arc<Principal>,
    /// On the monotonic clock: a wall clock set back must not keep it.
    fresh_until: Duration,
    expires_at: Timestamp,
}

/// Taken before the rows are read. What was read before a change is not kept after it.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    stripe: usize,
    changes: u64,
}

impl Cache {
    pub(crate) fn new() -> Self {
        Self {
            shards: std::array::from_fn(|_| Mutex::new(HashMap::new())),
            changes: std::array::from_fn(|_| AtomicU64::new(0)),
        }
    }

    pub(crate) fn key(token: &str) -> Key {
        let mut key = [0; 32];
        key.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
        key
    }

    pub(crate) fn find(
        &self,
        key: &Key,
        now: Timestamp,
        monotonic: Duration,
    ) -> Option<Arc<Principal>> {
        let shard = self.shard(key);
        let entry = shard
            .get(key)
            .filter(|entry| entry.is_good(now, monotonic))?;
        Some(entry.principal.clone())
    }

    pub(crate) fn mark(&self, user: Id<User>) -> Mark {
        self.mark_at(stripe(user.uuid()))
    }

    /// For a credential that does not say whose it is: a change of anybody counts.
    pub(crate) fn mark_any(&self) -> Mark {
        self.mark_at(ANY)
    }

    fn mark_at(&self, stripe: usize) -> Mark {
        Mark {
            stripe,
            changes: self.changes[stripe].load(Ordering::SeqCst),
        }
    }

    /// Keeps `principal` unless its account changed since `mark`.
    pub(crate) fn insert(
        &self,
        key: Key,
        principal: Arc<Principal>,
        mark: Mark,
        fresh_until: Duration,
        expires_at: Timestamp,
    ) {
        let mut shard = self.shard(&key);
        // Under the lock of the shard: a change counts first and clears then, so it finds whatever was put in before.
        if self.changes[mark.stripe].load(Ordering::SeqCst) != mark.changes {
            return;
        }
        if shard.len() >= PER_SHARD {
            make_room(&mut shard);
        }
        shard.insert(
            key,
            Entry {
                principal,
                fresh_until,
                expires_at,
            },
        );
    }

    /// Forgets one session.
    pub(crate) fn clear_session(&self, user: Id<User>, session: Id<Session>) {
        self.clear(user.uuid(), |principal| {
            principal.proof == Proof::Session(session)
        });
    }

    /// Forgets one API key of a user or a service account.
    pub(crate) fn clear_key(&self, owner: Uuid, key: Id<ApiKey>) {
        self.clear(owner, |principal| principal.proof == Proof::ApiKey(key));
    }

    /// Forgets all sessions and keys of an account.
    pub(crate) fn clear_user(&self, user: Id<User>) {
        self.clear_subject(user.uuid());
    }

    /// Forgets all sessions and keys of a user or a service account.
    pub(crate) fn clear_subject(&self, subject: Uuid) {
        self.clear(subject, |principal| principal.subject.uuid() == subject);
    }

    /// Forgets everybody: a role means something else now, or a signing key is gone.
    pub(crate) fn clear_all(&self) {
        for changes in &self.changes {
            changes.fetch_add(1, Ordering::SeqCst);
        }
        self.drop_where(|_| true);
    }

    fn clear(&self, subject: Uuid, is_gone: impl Fn(&Principal) -> bool) {
        for stripe in [stripe(subject), ANY] {
            self.changes[stripe].fetch_add(1, Ordering::SeqCst);
        }
        self.drop_where(is_gone);
    }

    fn drop_where(&self, is_gone: impl Fn(&Principal) -> bool) {
        for shard in &self.shards {
            lock(shard).retain(|_, entry| !is_gone(&entry.principal));
        }
    }

    fn shard(&self, key: &Key) -> MutexGuard<'_, HashMap<Key, Entry>> {
        lock(&self.shards[usize::from(key[0]) % SHARDS])
    }
}

impl Entry {
    fn is_good(&self, now: Timestamp, monotonic: Duration) -> bool {
        monotonic < self.fresh_until && now < self.expires_at
    }
}

fn lock<T>(shard: &Mutex<T>) -> MutexGuard<'_, T> {
    // A thread that panicked inside left a whole map: nothing in here stops half way.
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Drops the half that ages first. Whoever is dropped is read again.
fn make_room(shard: &mut HashMap<Key, Entry>) {
    let mut ages: Vec<Duration> = shard.values().map(|entry| entry.fresh_until).collect();
    let (_, median, _) = ages.select_nth_unstable(PER_SHARD / 2);
    let median = *median;
    shard.retain(|_, entry| entry.fresh_until > median);
}

fn stripe(subject: Uuid) -> usize {
    usize::from(subject.as_bytes()[15]) % STRIPES
}
