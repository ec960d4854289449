use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use cgcg_core::Clock;
use governor::clock::Clock as GovernorClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::RateLimit;
use crate::client::bucket;

/// So many addresses are remembered. Past that, all share 1,024 buckets by their networks until old ones are forgotten:
/// memory has a bound, whoever sends.
const REMEMBERED: usize = 200_000;
/// Seconds between two looks for whom to forget.
const SWEEP: u64 = 60;

/// What an address did, so often as it may.
pub(crate) struct Limiter {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Monotonic, StateInformationMiddleware>,
    clock: Monotonic,
    sweep_at: AtomicU64,
}

impl Limiter {
    /// Of requests; `None` where the settings turn it off.
    pub(crate) fn of_requests(settings: RateLimit, clock: Arc<dyn Clock>) -> Option<Self> {
        let quota = Quota::per_second(NonZeroU32::new(settings.per_second)?);
        let quota = quota.allow_burst(NonZeroU32::new(settings.burst)?);
        Some(Self::new(quota, clock))
    }

    /// So many a minute; `None` where that is 0.
    pub(crate) fn per_minute(count: u32, clock: Arc<dyn Clock>) -> Option<Self> {
        Some(Self::new(Quota::per_minute(NonZeroU32::new(count)?), clock))
    }

    fn new(quota: Quota, clock: Arc<dyn Clock>) -> Self {
        let clock = Monotonic(clock);
        let limiter = RateLimiter::new(quota, DashMapStateStore::default(), clock.clone());
        Self {
            limiter,
            clock,
            sweep_at: AtomicU64::new(0),
        }
    }

    /// Forgets whoever has a full bucket again, once a minute: it looks at all of them.
    fn sweep(&self) {
        let now = self.clock.now().as_secs();
        let due = self.sweep_at.load(Ordering::Relaxed);
        let next = now + SWEEP;
        if now >= due
            && self
                .sweep_at
                .compare_exchange(due, next, Ordering::Relaxed, Ordering::Relaxed)
                .is_ok()
        {
            self.limiter.retain_recent();
        }
    }

    /// How often it may do so again at once, or how long to wait.
    pub(crate) fn take(&self, address: IpAddr) -> Result<u32, Duration> {
        let mut key = bucket(address);
        if self.limiter.len() > REMEMBERED {
            self.sweep();
            if self.limiter.len() > REMEMBERED {
                key = shared(key);
            }
        }
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(not_until) => Err(not_until.wait_time_from(self.clock.now())),
        }
    }
}

/// The wider network of an address, IPv4 /16 or IPv6 /32, as one of a few: strangers of one network leave others in peace.
/// Addresses of `::/16` are nobody's.
fn shared(address: IpAddr) -> IpAddr {
    let wide = match address {
        IpAddr::V4(address) => address.to_bits() >> 16,
        IpAddr::V6(address) => (address.to_bits() >> 96) as u32,
    };
    // Neighbours spread: Knuth's multiplicative hash.
    let at = wide.wrapping_mul(2_654_435_761) >> 22;
    Ipv6Addr::from_bits(u128::from(at)).into()
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
    use std::net::Ipv4Addr;

    use cgcg_core::SystemClock;

    use super::*;

    #[test]
    fn a_flood_of_addresses_shares_buckets_by_network() {
        let limiter = Limiter::per_minute(1, Arc::new(SystemClock::default())).unwrap();
        let take = |at: u32| {
            let address = Ipv4Addr::from_bits(0x0a00_0000 + at);
            limiter.take(address.into()).is_ok()
        };
        for at in 0..260_000 {
            take(at);
        }
        assert!(!take(262_000), "a full network");
        let stranger = "198.51.100.1".parse().unwrap();
        assert!(limiter.take(stranger).is_ok(), "another one");
    }
}
