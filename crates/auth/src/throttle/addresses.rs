use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cgcg_core::Clock;
use governor::clock::Clock as GovernorClock;
use governor::middleware::NoOpMiddleware;
use governor::nanos::Nanos;
use governor::state::keyed::{DashMapStateStore, ShrinkableKeyedStateStore};
use governor::state::{InMemoryState, NotKeyed, StateStore};
use governor::{Quota, RateLimiter};

use super::{ThrottleSettings, network};

/// So many addresses have a bucket of their own: memory has a bound, whoever sends.
const REMEMBERED: usize = 200_000;
/// Buckets that the others share, by their wider network: strangers of one network leave other strangers in peace.
const SHARED: usize = 1_024;
/// Mails of one address in an hour, as in the database.
pub(crate) const MAILS: u32 = 20;
/// Seconds between two looks for whom to forget.
const SWEEP: u64 = 60;

/// What an address does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Bucket {
    Login,
    Register,
    Refresh,
    Mail,
}

impl Bucket {
    /// As the metric has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Register => "register",
            Self::Refresh => "refresh",
            Self::Mail => "mail",
        }
    }
}

/// Calls of each address, in memory of this node.
pub(crate) struct Addresses {
    login: Limiter,
    register: Limiter,
    refresh: Limiter,
    mail: Limiter,
}

impl Addresses {
    pub(crate) fn new(settings: &ThrottleSettings, clock: &Arc<dyn Clock>) -> Self {
        let limiter = |quota: Quota| Limiter::new(quota, Monotonic(clock.clone()));
        let calls = |count| NonZeroU32::new(count).unwrap_or(NonZeroU32::MIN);
        Self {
            login: limiter(Quota::per_minute(calls(settings.logins_per_minute))),
            register: limiter(Quota::per_hour(calls(settings.registrations_per_hour))),
            refresh: limiter(Quota::per_minute(calls(settings.refreshes_per_minute))),
            mail: limiter(Quota::per_hour(calls(MAILS))),
        }
    }

    /// Counts one call; else how long to wait.
    pub(crate) fn take(&self, bucket: Bucket, address: IpAddr) -> Result<(), Duration> {
        let limiter = match bucket {
            Bucket::Login => &self.login,
            Bucket::Register => &self.register,
            Bucket::Refresh => &self.refresh,
            Bucket::Mail => &self.mail,
        };
        limiter.take(network(address))
    }
}

struct Limiter {
    limiter: RateLimiter<IpAddr, Bounded, Monotonic, NoOpMiddleware<Duration>>,
    clock: Monotonic,
    swept_at: AtomicU64,
}

impl Limiter {
    fn new(quota: Quota, clock: Monotonic) -> Self {
        Self {
            limiter: RateLimiter::new(quota, Bounded::new(), clock.clone()),
            clock,
            swept_at: AtomicU64::new(0),
        }
    }

    fn take(&self, address: IpAddr) -> Result<(), Duration> {
        self.sweep();
        let taken = self.limiter.check_key(&address);
        taken.map_err(|not_until| not_until.wait_time_from(self.clock.now()))
    }

    /// Forgets whoever has a full bucket again, now and then.
    fn sweep(&self) {
        let now = self.clock.now().as_secs();
        let before = self.swept_at.load(Ordering::Relaxed);
        let due = now >= before + SWEEP
            && self
                .swept_at
                .compare_exchange(before, now, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok();
        if due {
            self.limiter.retain_recent();
        }
    }
}

/// States by address while there is room, else by the wider network of the address.
struct Bounded {
    known: DashMapStateStore<IpAddr>,
    shared: Vec<InMemoryState>,
}

impl Bounded {
    fn new() -> Self {
        Self {
            known: DashMapStateStore::default(),
            shared: (0..SHARED).map(|_| InMemoryState::default()).collect(),
        }
    }

    /// One of the shared ones, by IPv4 /16 or IPv6 /32.
    fn shared(&self, address: &IpAddr) -> &InMemoryState {
        let wide: IpAddr = match address {
            IpAddr::V4(address) => Ipv4Addr::from_bits(address.to_bits() >> 16).into(),
            IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 96).into(),
        };
        let mut hasher = DefaultHasher::new();
        wide.hash(&mut hasher);
        let at = hasher.finish() % SHARED as u64;
        &self.shared[usize::try_from(at).unwrap_or_default()]
    }
}

impl StateStore for Bounded {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, key: &IpAddr, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if self.known.len() < REMEMBERED || self.known.contains_key(key) {
            return self.known.measure_and_replace(key, f);
        }
        self.shared(key).measure_and_replace(&NotKeyed::NonKey, f)
    }
}

impl ShrinkableKeyedStateStore<IpAddr> for Bounded {
    fn retain_recent(&self, drop_below: Nanos) {
        self.known.retain_recent(drop_below);
    }

    fn len(&self) -> usize {
        self.known.len()
    }

    fn is_empty(&self) -> bool {
        self.known.is_empty()
    }
}

#[derive(Clone)]
struct Monotonic(Arc<dyn Clock>);

impl GovernorClock for Monotonic {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.monotonic()
    }
}

#[cfg(test)]
mod tests {
    use cgcg_testkit::TestClock;

    use super::*;

    fn addresses() -> (Addresses, TestClock) {
        let clock = TestClock::default();
        let time: Arc<dyn Clock> = Arc::new(clock.clone());
        (Addresses::new(&ThrottleSettings::default(), &time), clock)
    }

    fn passes(addresses: &Addresses, address: IpAddr) -> bool {
        addresses.take(Bucket::Login, address).is_ok()
    }

    #[test]
    fn b3_addresses_of_one_customer_share_a_bucket() {
        let (addresses, _) = addresses();
        let passed = (0..1_u128 << 16).filter(|at| {
            let address = Ipv6Addr::from_bits((0x2001_0db8_0001_0002 << 64) | (at << 40) | at);
            passes(&addresses, address.into())
        });
        assert_eq!(passed.count(), 30);
        assert!(passes(&addresses, "2001:db8:1:3::1".parse().unwrap()));

        let (mapped, plain) = ("::ffff:192.0.2.1", "192.0.2.1");
        let passed = (0..40).filter(|at| {
            let text = if at % 2 == 0 { mapped } else { plain };
            passes(&addresses, text.parse().unwrap())
        });
        assert_eq!(passed.count(), 30);
        assert!(passes(&addresses, "192.0.2.2".parse().unwrap()));
    }

    #[test]
    fn b7_a_million_addresses_take_bounded_memory_and_leave_the_known_alone() {
        let (addresses, clock) = addresses();
        let known: IpAddr = "192.0.2.1".parse().unwrap();
        assert!(passes(&addresses, known));
        for at in 0..1_000_000 {
            passes(&addresses, Ipv4Addr::from_bits(0x0a00_0000 + at).into());
        }
        assert_eq!(addresses.login.limiter.len(), REMEMBERED);
        assert!(passes(&addresses, known), "who was there keeps a bucket");
        assert!(
            !passes(&addresses, "10.15.0.1".parse().unwrap()),
            "a full network"
        );
        assert!(
            passes(&addresses, "198.51.100.1".parse().unwrap()),
            "another one"
        );
        clock.advance(Duration::from_secs(120));
        assert!(passes(&addresses, "10.15.0.1".parse().unwrap()));
        assert_eq!(addresses.login.limiter.len(), 1, "the rest is forgotten");
    }

    #[test]
    fn whoever_waits_as_long_as_told_may_try_again() {
        let (addresses, clock) = addresses();
        let address: IpAddr = "192.0.2.1".parse().unwrap();
        while passes(&addresses, address) {}
        let wait = addresses.take(Bucket::Login, address).unwrap_err();
        assert!(wait > Duration::ZERO && wait <= Duration::from_secs(2));
        // Another thing that the address does has another bucket.
        assert!(addresses.take(Bucket::Refresh, address).is_ok());
        clock.advance(wait);
        assert!(passes(&addresses, address));
    }
}
