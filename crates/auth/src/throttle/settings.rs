use cgcg_core::Span;
use serde::Deserialize;

/// How often somebody may try.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThrottleSettings {
    /// Whether the calls of one address (IPv4, or IPv6 /64) are counted. Off only where something before the server
    /// does so, or for tests and measurements.
    pub addresses: bool,
    /// Whether failed logins of one account are counted. Off only for tests and measurements.
    pub accounts: bool,
    /// Logins of one address in a minute. 1 to 1000000.
    pub logins_per_minute: u32,
    /// Registrations of one address in an hour. 1 to 1000000.
    pub registrations_per_hour: u32,
    /// Refreshes of one address in a minute. 1 to 1000000.
    pub refreshes_per_minute: u32,
    /// Failed logins of one account before it has to wait: 1 s, then twice as long after each. 1 to 50.
    pub free_failures: u32,
    /// The longest such wait. 1 s to 1 h.
    pub longest: Span,
}

impl Default for ThrottleSettings {
    fn default() -> Self {
        Self {
            addresses: true,
            accounts: true,
            logins_per_minute: 30,
            registrations_per_hour: 10,
            refreshes_per_minute: 60,
            free_failures: 5,
            longest: Span::minutes(15),
        }
    }
}

impl ThrottleSettings {
    /// All that is wrong, as (key, what to do).
    pub(crate) fn validate(&self) -> Vec<(&'static str, String)> {
        let calls = |count| (1..=1_000_000).contains(&count);
        let checks = [
            (
                "throttle.logins_per_minute",
                calls(self.logins_per_minute),
                "expected 1 to 1000000",
            ),
            (
                "throttle.registrations_per_hour",
                calls(self.registrations_per_hour),
                "expected 1 to 1000000",
            ),
            (
                "throttle.refreshes_per_minute",
                calls(self.refreshes_per_minute),
                "expected 1 to 1000000",
            ),
            (
                "throttle.free_failures",
                (1..=50).contains(&self.free_failures),
                "expected 1 to 50",
            ),
            (
                "throttle.longest",
                (Span::seconds(1)..=Span::minutes(60)).contains(&self.longest),
                "expected 1s to 60m",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fits, _)| !fits);
        wrong.map(|(key, _, mend)| (key, mend.to_owned())).collect()
    }
}
