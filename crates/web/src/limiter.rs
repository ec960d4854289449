use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::Clock;
use governor::clock::Clock as GovernorClock;
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};

use crate::RateLimit;
use crate::client::bucket;

/// So many addresses are remembered. Past that, new ones share one bucket until old ones are forgotten: memory has a
/// bound, whoever sends.
const REMEMBERED: usize = 200_000;

/// What an address did, so often as it may.
pub(crate) struct Limiter {
    limiter: RateLimiter<IpAddr, DashMapStateStore<IpAddr>, Monotonic, StateInformationMiddleware>,
    clock: Monotonic,
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
        Self { limiter, clock }
    }

    /// How often it may do so again at once, or how long to wait.
    pub(crate) fn take(&self, address: IpAddr) -> Result<u32, Duration> {
        let mut key = bucket(address);
        if self.limiter.len() > REMEMBERED {
            // Forgets whoever has a full bucket again.
            self.limiter.retain_recent();
            if self.limiter.len() > REMEMBERED {
                key = IpAddr::from([0; 16]);
            }
        }
        match self.limiter.check_key(&key) {
            Ok(state) => Ok(state.remaining_burst_capacity()),
            Err(not_until) => Err(not_until.wait_time_from(self.clock.now())),
        }
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
