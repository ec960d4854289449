use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use aws_lc_rs::rand;
use cgcg_core::Secret;

use super::Service;
use crate::password::Stored;
use crate::{Error, store};

/// Registrations that must not tell take a multiple of this, refused logins one and by chance up to one more.
const STEP: Duration = Duration::from_millis(50);
/// What a hash takes is waited for up to this.
const MOST: Duration = Duration::from_secs(1);
/// By this part with each refused login.
const FADES: u64 = 64;
/// Hashes of different cost that are timed.
const COSTS: i64 = 64;
/// The shortest of so many counts: the others may have waited for their turn.
const TRIES: usize = 3;

const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Which costs were timed, and when, on the clock that never jumps.
pub(crate) struct Timed {
    pub(crate) costs: Vec<String>,
    pub(crate) at: Duration,
}

/// How long the dearest stored hash takes, in microseconds. A refused login that ended sooner would tell that there is
/// no account, or one of ours among imported ones.
#[derive(Default)]
pub(super) struct Padding {
    timed: AtomicU64,
    /// As long as the slowest of late, which fades: a busy machine hashes slower than when it was timed.
    seen: AtomicU64,
}

impl Padding {
    /// What is left to wait of a login that took `elapsed`.
    fn rest(&self, elapsed: Duration) -> Duration {
        let [timed, seen] = [&self.timed, &self.seen].map(|micros| micros.load(Ordering::Relaxed));
        let slowest = Duration::from_micros(timed.max(seen));
        next_step(elapsed.max(slowest)).saturating_sub(elapsed)
    }

    pub(super) fn set(&self, slowest: Duration) {
        self.timed.store(micros(slowest), Ordering::Relaxed);
    }

    /// A refused login took `elapsed`; those to come may take as long.
    fn saw(&self, elapsed: Duration) {
        let seen = self.seen.load(Ordering::Relaxed);
        let seen = micros(with_room(elapsed)).max(seen - seen / FADES);
        self.seen.store(seen, Ordering::Relaxed);
    }
}

/// At most [`MOST`].
fn micros(time: Duration) -> u64 {
    u64::try_from(time.min(MOST).as_micros()).unwrap_or(u64::MAX)
}

/// A login does a little more than to hash, and not always at the same speed.
fn with_room(time: Duration) -> Duration {
    time + time / 8
}

/// The end of the step in which `time` is: what differs by less is not seen.
pub(super) fn next_step(time: Duration) -> Duration {
    let end = time.as_nanos().next_multiple_of(STEP.as_nanos());
    Duration::from_nanos(u64::try_from(end).unwrap_or(u64::MAX))
}

/// Up to a step. What the machine adds to a wait is a fraction of a millisecond that depends on what it did before; this
/// hides it from whoever may try some thousand times. Of two parts, so that short and long are rare: a lower edge would
/// show in the quickest of few logins.
fn chance() -> Duration {
    let mut bytes = [[0; 8]; 2];
    // Without chance the steps alone remain.
    if bytes.iter_mut().any(|bytes| rand::fill(bytes).is_err()) {
        return Duration::ZERO;
    }
    let half = STEP.as_micros() as u64 / 2;
    let parts = bytes.map(|bytes| u64::from_le_bytes(bytes) % half);
    Duration::from_micros(parts.iter().sum())
}

impl Service {
    /// Times one hash of each cost that is stored, so that refused logins take as long as the dearest, at most 1 s.
    /// The worker `auth.padding` does it at its start, each day, and within a minute of a hash of another cost; do it
    /// yourself where you run no workers.
    ///
    /// # Errors
    /// [`Error::Overloaded`], [`Error::Database`]: what was known before stays in force.
    pub async fn time_hashes(&self) -> Result<(), Error> {
        let hashes =
            store::passwords::one_of_each_cost(&mut self.0.db.read().await?, COSTS).await?;
        let mut slowest = self.time(None).await?;
        for hash in &hashes {
            slowest = slowest.max(self.time(Some(Stored::imported(hash))).await?);
        }
        self.0.padding.set(with_room(slowest));
        Ok(())
    }

    async fn time(&self, stored: Option<Stored<'_>>) -> Result<Duration, Error> {
        let password = Secret::new("no password of anybody".to_owned());
        let mut shortest = Duration::MAX;
        for _ in 0..TRIES {
            let begun = self.0.clock.monotonic();
            self.0.pool.verify(&password, stored).await?;
            shortest = shortest.min(self.0.clock.monotonic().saturating_sub(begun));
        }
        Ok(shortest)
    }

    /// Times the hashes where some cost is stored that was not there at the time that `timed` tells of, or where that is
    /// a day ago; then notes it there. Another process may import accounts at any time.
    pub(crate) async fn time_new_hashes(&self, timed: &mut Option<Timed>) -> Result<(), Error> {
        let costs = store::passwords::costs(&mut self.0.db.read().await?, COSTS).await?;
        let now = self.0.clock.monotonic();
        let known = timed.as_ref().is_some_and(|timed| {
            now.saturating_sub(timed.at) < DAY
                && costs.iter().all(|cost| timed.costs.contains(cost))
        });
        if !known {
            self.time_hashes().await?;
            *timed = Some(Timed { costs, at: now });
        }
        Ok(())
    }

    /// As if the dearest hash took so long.
    #[cfg(test)]
    pub(crate) fn set_pace(&self, slowest: Duration) {
        self.0.padding.set(slowest);
    }

    /// Whether a password is hashed, or waits for it.
    #[cfg(test)]
    pub(crate) fn hashes(&self) -> bool {
        let load = self.0.pool.load();
        load.queued + load.running > 0
    }

    /// Answers a login whose name or password is wrong only when every such login is answered.
    pub(super) async fn padded<T>(
        &self,
        login: impl Future<Output = Result<T, Error>>,
    ) -> Result<T, Error> {
        let begun = self.0.clock.monotonic();
        let outcome = login.await;
        if let Err(Error::InvalidCredentials) = outcome {
            let elapsed = self.0.clock.monotonic().saturating_sub(begun);
            let rest = self.0.padding.rest(elapsed);
            self.0.padding.saw(elapsed);
            if !rest.is_zero() {
                self.0.clock.sleep(rest + chance()).await;
            }
        }
        outcome
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_login_waits_for_a_multiple_of_50_ms_above_the_dearest_hash() {
        let padding = Padding::default();
        let rest = |slowest, elapsed| {
            padding.set(Duration::from_millis(slowest));
            let elapsed = Duration::from_millis(elapsed);
            (elapsed + padding.rest(elapsed)).as_millis()
        };
        assert_eq!(
            [rest(0, 0), rest(0, 1), rest(18, 2), rest(50, 2)],
            [0, 50, 50, 50]
        );
        assert_eq!(
            [rest(309, 18), rest(309, 310), rest(309, 351)],
            [350, 350, 400]
        );
        assert_eq!([rest(90_000, 3), rest(90_000, 1_001)], [1_000, 1_050]);
    }

    /// bcrypt took longer than its padding as soon as the machine had other work.
    #[test]
    fn after_a_slow_login_all_take_as_long_for_a_while() {
        let padding = Padding::default();
        padding.set(Duration::from_millis(309));
        let ends = |elapsed| {
            let elapsed = Duration::from_millis(elapsed);
            let end = elapsed + padding.rest(elapsed);
            padding.saw(elapsed);
            end.as_millis()
        };
        assert_eq!([ends(20), ends(430), ends(20)], [350, 450, 500]);
        assert_eq!((0..200).fold(0, |_, _| ends(20)), 350, "it fades");
        assert_eq!([ends(60_000), ends(20)], [60_000, 1_000]);
    }

    #[test]
    fn chance_adds_less_than_a_step_and_not_the_same_each_time() {
        let added: std::collections::BTreeSet<_> = (0..100).map(|_| chance()).collect();
        assert!(added.len() > 90 && added.iter().all(|time| *time < STEP));
    }
}
