use cgcg_core::{Size, Span};
use serde::{Deserialize, Serialize};

/// What holds for every request, of whatever feature.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FrontSettings {
    /// Largest body of a request; a feature may set less for itself. At most 64 MiB.
    pub body: Size,
    /// How long a client may take to send a body.
    pub body_wait: Span,
    /// Requests per address (IPv4, or IPv6 /64).
    pub rate_limit: RateLimit,
    /// Bad credentials per address and minute: more are answered 429. Expired ones do not count. 0 turns the limit off.
    pub bad_tokens: u32,
}

/// How many requests one address may make.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimit {
    /// So many in the long run; 0 turns the limit off.
    pub per_second: u32,
    /// So many at once.
    pub burst: u32,
}

impl Default for FrontSettings {
    fn default() -> Self {
        Self {
            body: Size::mib(1),
            body_wait: Span::seconds(30),
            rate_limit: RateLimit::default(),
            bad_tokens: 30,
        }
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self {
            per_second: 100,
            burst: 400,
        }
    }
}

impl FrontSettings {
    /// The section of a settings file, with every default.
    pub const SAMPLE: &str = "\
# Largest body of a request; a feature may set less for itself. 1KiB to 64MiB.
# body = \"1MiB\"
# How long a client may take to send a body. 100ms to 10m.
# body_wait = \"30s\"
# Requests per second and address (IPv4, or IPv6 /64) in the long run; 0 turns the limit off. Calls of task workers over
# HTTP count too: they do better to take and end many tasks in one call than to have this raised.
# rate_limit.per_second = 100
# Requests that one address may make at once.
# rate_limit.burst = 400
# Bad tokens per address and minute; more are answered 429. Expired ones do not count. 0 turns the limit off.
# bad_tokens = 30
";

    /// All that is wrong, as (key, what to do).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if !(1_024..=64 << 20).contains(&self.body.bytes()) {
            wrong.push(("body", "expected 1KiB to 64MiB".to_owned()));
        }
        if !(Span::millis(100)..=Span::minutes(10)).contains(&self.body_wait) {
            wrong.push(("body_wait", "expected 100ms to 10m".to_owned()));
        }
        if self.rate_limit.per_second > 0 && self.rate_limit.burst == 0 {
            wrong.push(("rate_limit.burst", "expected at least 1".to_owned()));
        }
        wrong
    }
}
