use std::time::Duration;

/// What a queue may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QueueLimits {
    /// Nothing starts.
    pub paused: bool,
    /// So many run at once, in all processes together. 1 to 1,000,000.
    pub max_running: Option<u32>,
    /// So many of one concurrency key run at once, in all processes together. Tasks without a key share one.
    /// 1 to 1,000,000.
    pub max_per_key: Option<u32>,
    /// How many start in a time.
    pub rate: Option<Rate>,
    /// How many of one concurrency key start in a time.
    pub key_rate: Option<Rate>,
}

/// So many in a time, in the long run; up to as many at once, so in an unlucky window up to twice as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// 1 to 1,000,000.
    pub n: u32,
    /// 1 ms to 1 d.
    pub per: Duration,
}

/// A queue that has limits, or had some.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Its name.
    pub name: String,
    /// What it may do.
    pub limits: QueueLimits,
    /// Grows with each change.
    pub version: i64,
}
