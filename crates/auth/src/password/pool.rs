use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::rand;
use cgcg_core::{Clock, Secret};
use tokio::sync::oneshot;
use zeroize::Zeroizing;

use super::lobby::Lobby;
use super::phc::{Recipe, SALT_BYTES};
use super::policy::Normal;
use super::queue::{Job, Queue};
use super::scheme::Scheme;
use super::settings::{Argon2Settings, BcryptOver72, PoolSettings};
use super::stored::Stored;

/// Hashes passwords on threads of its own: as many at once as settings say, in bounded memory, and with a short queue.
///
/// A cheap clone. Threads start at the first password, have a low priority, give their memory back after 10 s without
/// work, and end with the last clone.
#[derive(Clone)]
pub struct Pool(pub(super) Arc<Inner>, BcryptOver72);

pub(super) struct Inner {
    argon2: Argon2Settings,
    settings: PoolSettings,
    clock: Arc<dyn Clock>,
    pub(super) queue: Arc<Queue>,
    lobby: Lobby,
}

/// How long a thread without work keeps its memory.
const KEEP: Duration = Duration::from_secs(10);

/// Who asks. One lane must not starve the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lane {
    /// Somebody with an account.
    Login,
    /// Anybody: at most half of the queue.
    Register,
}

/// What came out of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Verdict {
    /// It is the password.
    pub matches: bool,
    /// It is the password, and its hash was made by others, or with other parameters than today's: store a new one.
    pub rehash: bool,
    /// There is a stored hash, but of another form, or dearer than is ever paid: worth an entry in the audit.
    pub unusable: bool,
}

/// How busy the pool is, for metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Passwords that wait.
    pub queued: usize,
    /// Passwords that are being hashed.
    pub running: usize,
    /// Threads that exist.
    pub threads: usize,
    /// Bytes that they hold.
    pub memory_bytes: usize,
}

/// The queue is full, the wait was too long, or there was no memory. Nothing was hashed; try again in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too many passwords are being hashed")]
pub struct Overloaded;

impl Pool {
    /// Takes settings that `validate` found right; starts nothing yet.
    pub fn new(argon2: Argon2Settings, settings: PoolSettings, clock: Arc<dyn Clock>) -> Self {
        Self::keeping(KEEP, argon2, settings, clock)
    }

    /// As [`Pool::new`]; threads keep their memory for as long as `keep` without work.
    pub(super) fn keeping(
        keep: Duration,
        argon2: Argon2Settings,
        settings: PoolSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // More threads than memory for them would only wait for each other.
        let places = settings.memory_kib() / argon2.memory_kib.max(1);
        let threads = settings.thread_count().min(places as usize).max(1);
        let queue = Arc::new(Queue::new(
            threads,
            settings.memory_kib(),
            argon2.memory_kib,
            keep,
        ));
        let inner = Inner {
            argon2,
            settings,
            clock,
            queue,
            lobby: Lobby::default(),
        };
        Self(Arc::new(inner), BcryptOver72::default())
    }

    /// The same pool with another rule for long passwords whose hash is bcrypt's.
    pub fn with_bcrypt_over_72(self, rule: BcryptOver72) -> Self {
        Self(self.0, rule)
    }

    /// A new hash with a salt of its own, as the text to be stored (PHC: `$argon2id$v=19$m=…`).
    ///
    /// # Errors
    /// [`Overloaded`].
    pub async fn hash(&self, lane: Lane, password: &Normal) -> Result<String, Overloaded> {
        let mut salt = [0; SALT_BYTES];
        rand::fill(&mut salt).map_err(|_| Overloaded)?;
        let recipe = Recipe::new(&self.0.argon2, salt);
        let scheme = Scheme::Argon2(recipe.clone());
        let hash = self.derive(lane, password.text().clone(), scheme).await?;
        Ok(recipe.to_phc(&hash))
    }

    /// Whether `stored` was made of this password, as it was typed.
    ///
    /// `None`, and whatever cannot be checked, costs a hash of today's parameters as well and never matches: the time
    /// does not tell which accounts exist.
    ///
    /// # Errors
    /// [`Overloaded`].
    pub async fn verify(
        &self,
        password: &Secret<String>,
        stored: Option<Stored<'_>>,
    ) -> Result<Verdict, Overloaded> {
        let known = stored.and_then(|stored| self.parse(stored));
        let unusable = stored.is_some() && known.is_none();
        let (scheme, expected) = match known {
            Some((scheme, hash)) => (scheme, Some(hash)),
            None => (self.dummy(), None),
        };
        let imported = stored.is_some_and(|stored| stored.imported);
        let current = match &scheme {
            Scheme::Argon2(recipe) => !imported && recipe.is_current(&self.0.argon2),
            _ => false,
        };
        // Others hashed the bytes as they came.
        let password = match imported {
            true => password.clone(),
            false => Normal::of(password).text().clone(),
        };
        let hash = self.derive(Lane::Login, password, scheme).await?;
        let matches =
            expected.is_some_and(|expected| verify_slices_are_equal(&expected, &hash).is_ok());
        Ok(Verdict {
            matches,
            rehash: matches && !current,
            unusable,
        })
    }

    /// What names the cost of a stored hash; `None` where it has no known form, or costs more than is ever paid here.
    pub fn cost(&self, stored: Stored<'_>) -> Option<String> {
        self.parse(stored).map(|(scheme, _)| scheme.to_string())
    }

    fn parse(&self, stored: Stored<'_>) -> Option<(Scheme, Vec<u8>)> {
        let (scheme, hash) = Scheme::parse(stored.hash)?;
        let affordable = scheme.memory_kib() <= self.0.settings.memory_kib();
        let scheme = match scheme {
            Scheme::Bcrypt(bcrypt) => {
                Scheme::Bcrypt(bcrypt.truncating(self.1 == BcryptOver72::Accept))
            }
            other => other,
        };
        affordable.then_some((scheme, hash))
    }

    /// What is paid where there is nothing to check.
    fn dummy(&self) -> Scheme {
        Scheme::Argon2(Recipe::new(&self.0.argon2, [0; SALT_BYTES]))
    }

    /// Whether there is a place for another password. Ask before reading anything for it: in a flood, what is turned away
    /// must cost next to nothing.
    ///
    /// Where there is none, it pauses for a quarter to three quarters of a second and looks once more, so that callers
    /// who do not wait before they ask again cannot flood the program; of more than 1,024 callers the others hear it at
    /// once.
    ///
    /// # Errors
    /// [`Overloaded`].
    pub async fn room(&self) -> Result<(), Overloaded> {
        if !self.0.queue.is_full() {
            return Ok(());
        }
        let seat = self.0.lobby.enter().ok_or(Overloaded)?;
        self.0.clock.sleep(seat.pause()).await;
        if self.0.queue.is_full() {
            return Err(Overloaded);
        }
        Ok(())
    }

    /// How busy it is at this moment.
    pub fn load(&self) -> Load {
        self.0.queue.load()
    }

    async fn derive(
        &self,
        lane: Lane,
        password: Secret<String>,
        scheme: Scheme,
    ) -> Result<Zeroizing<Vec<u8>>, Overloaded> {
        let (reply, mut answer) = oneshot::channel();
        let ticket = self
            .0
            .queue
            .enter(Job {
                password,
                scheme,
                lane,
                reply,
            })
            .ok_or(Overloaded)?;
        let late = self.0.clock.sleep(self.0.settings.wait.get());
        tokio::select! {
            biased;
            hash = &mut answer => return hash.map_err(|_| Overloaded),
            () = late => {}
        }
        if ticket.withdraw() {
            return Err(Overloaded);
        }
        // Its turn came in time: the work is half done.
        answer.await.map_err(|_| Overloaded)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Pool").field(&self.load()).finish()
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}
