use std::num::NonZero;
use std::thread::available_parallelism;

use cgcg_core::{Size, Span};
use serde::Deserialize;

/// The least memory for 1, 2, and 3 or more passes, KiB. Source: OWASP ASVS 5.0, appendix C.
const FLOORS: [u32; 3] = [46 * 1_024, 19 * 1_024, 12 * 1_024];

/// What one hash costs (argon2id, RFC 9106). A hash with other values is made anew at the owner's next login.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Argon2Settings {
    /// Memory of one hash in KiB. At least 47104 for one pass, 19456 for two, 12288 for more; at most 262144.
    pub memory_kib: u32,
    /// Passes over that memory, 1 to 10.
    pub passes: u32,
    /// Lanes, 1 to 16. They run one after the other, so 1 makes the most of a core.
    pub lanes: u32,
}

impl Default for Argon2Settings {
    fn default() -> Self {
        Self {
            memory_kib: 19_456,
            passes: 2,
            lanes: 1,
        }
    }
}

impl Argon2Settings {
    /// All that is wrong, as (key, what to do).
    pub fn validate(&self) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if !(1..=MAX_PASSES).contains(&self.passes) {
            wrong.push(("passes", format!("expected 1 to {MAX_PASSES}")));
        }
        if !(1..=MAX_LANES).contains(&self.lanes) {
            wrong.push(("lanes", format!("expected 1 to {MAX_LANES}")));
        }
        let floor = FLOORS[self.passes.clamp(1, 3) as usize - 1];
        if !(floor..=MAX_MEMORY_KIB).contains(&self.memory_kib) {
            let passes = self.passes;
            wrong.push((
                "memory_kib",
                format!("expected {floor} to {MAX_MEMORY_KIB} with {passes} passes"),
            ));
        }
        wrong
    }
}

/// What becomes of a password of more than 72 bytes whose imported hash is bcrypt's, which looks at no more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum BcryptOver72 {
    /// It is wrong: its owner sets a new one.
    #[default]
    Refuse,
    /// Its first 72 bytes count, as passlib had it.
    Accept,
}

/// The most that a stored hash may cost, whoever wrote it.
pub(super) const MAX_MEMORY_KIB: u32 = 256 * 1_024;
/// As [`MAX_MEMORY_KIB`].
pub(super) const MAX_PASSES: u32 = 10;
/// As [`MAX_MEMORY_KIB`].
pub(super) const MAX_LANES: u32 = 16;

// 8 KiB a lane are the least that argon2 works with: every floor above has them.
const _: () = assert!(FLOORS[2] >= MAX_LANES * 8);

/// How many passwords are hashed at once, and who waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PoolSettings {
    /// The most memory that all hashes take together, as in `"256MiB"`.
    pub memory: Size,
    /// Threads that hash, 0 to 256; 0 takes one per core. They have a low priority, so other requests go first.
    pub threads: usize,
    /// How long a login waits for its turn before it answers 503 `overloaded`. 100 ms to 30 s.
    pub wait: Span,
}

impl Default for PoolSettings {
    fn default() -> Self {
        Self {
            memory: Size::mib(256),
            threads: 0,
            wait: Span::seconds(2),
        }
    }
}

impl PoolSettings {
    /// All that is wrong, as (key, what to do).
    pub fn validate(&self, argon2: &Argon2Settings) -> Vec<(&'static str, String)> {
        let mut wrong = Vec::new();
        if self.memory_kib() < argon2.memory_kib {
            let need = Size::kib(argon2.memory_kib.into());
            wrong.push((
                "memory",
                format!("expected at least {need}, the memory of one hash"),
            ));
        }
        if self.threads > 256 {
            wrong.push(("threads", "expected 0 to 256".to_owned()));
        }
        if !(Span::millis(100)..=Span::seconds(30)).contains(&self.wait) {
            wrong.push(("wait", "expected 100ms to 30s".to_owned()));
        }
        wrong
    }

    pub(super) fn memory_kib(&self) -> u32 {
        u32::try_from(self.memory.bytes() / 1_024).unwrap_or(u32::MAX)
    }

    pub(super) fn thread_count(&self) -> usize {
        match self.threads {
            0 => available_parallelism().map_or(1, NonZero::get),
            threads => threads,
        }
    }
}
