use std::net::{IpAddr, Ipv6Addr};
use std::time::Duration;

use cgcg_core::Timestamp;

use super::ThrottleSettings;

/// Failures are forgotten after a day, addresses that are known after thirty.
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// A MAC of what is counted.
pub(crate) type Key = [u8; 32];

/// The present, and what lies too far back to count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) at: Timestamp,
    /// What was last touched before is forgotten.
    pub(crate) day: Timestamp,
    /// As `day`, for known addresses.
    pub(crate) month: Timestamp,
}

impl Now {
    pub(crate) fn new(at: Timestamp) -> Self {
        let (day, month) = (at - DAY, at - 30 * DAY);
        Self { at, day, month }
    }
}

/// How long a name waits after so many failures: nothing, then 1 s, then twice as long after each. It never ends to
/// open again: else an outsider could keep the owner out for good.
pub(crate) fn pause(failures: i64, settings: &ThrottleSettings) -> Duration {
    let longest = settings.longest.get();
    let over = failures - i64::from(settings.free_failures);
    match over {
        ..=0 => Duration::ZERO,
        over => longest.min(Duration::from_secs(1 << (over - 1).min(30))),
    }
}

/// What is counted as one client: an IPv4 address, or the /64 that one IPv6 customer usually has.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        short => short,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_failures_are_free_and_then_each_doubles_the_wait() {
        let settings = ThrottleSettings::default();
        let waits: Vec<_> = [0, 5, 6, 7, 10, 15, 16, 40, 99, 100, i64::MAX]
            .map(|failures| pause(failures, &settings).as_secs())
            .into();
        assert_eq!(waits, [0, 0, 1, 2, 16, 512, 900, 900, 900, 900, 900]);
    }
}
