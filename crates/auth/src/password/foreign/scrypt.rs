use std::fmt;

use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use scrypt::Params;
use zeroize::Zeroizing;

use super::{bytes, number, parts};

/// 128 MiB with the largest block.
const MAX_LOG_N: u32 = 17;
const MAX_BLOCK: u32 = 8;
const MAX_PARALLEL: u32 = 10;

/// scrypt (RFC 7914).
#[derive(Debug, Clone)]
pub(in crate::password) struct Scrypt {
    log_n: u32,
    r: u32,
    p: u32,
    salt: Vec<u8>,
    length: usize,
}

impl Scrypt {
    /// passlib: `$scrypt$ln=16,r=8,p=1$salt$hash`. Django: `scrypt$N$salt$r$p$hash`, where the salt is the text itself.
    pub(in crate::password) fn parse(stored: &str) -> Option<(Self, Vec<u8>)> {
        let (log_n, r, p, salt, hash) = match stored.strip_prefix("$scrypt$") {
            Some(rest) => {
                let [cost, salt, hash] = parts(rest)?;
                let (log_n, cost) = cost.strip_prefix("ln=")?.split_once(",r=")?;
                let (r, p) = cost.split_once(",p=")?;
                let salt = bytes(salt, &STANDARD_NO_PAD, 1..=64)?;
                (
                    number(log_n, 1..=MAX_LOG_N)?,
                    r,
                    p,
                    salt,
                    bytes(hash, &STANDARD_NO_PAD, 16..=64)?,
                )
            }
            None => {
                let [n, salt, r, p, hash] = parts(stored.strip_prefix("scrypt$")?)?;
                let n = number(n, 2..=1 << MAX_LOG_N).filter(|n| n.is_power_of_two())?;
                let salt = Some(salt).filter(|salt| (1..=128).contains(&salt.len()))?;
                (
                    n.ilog2(),
                    r,
                    p,
                    salt.as_bytes().to_vec(),
                    bytes(hash, &STANDARD, 16..=64)?,
                )
            }
        };
        let (r, p) = (number(r, 1..=MAX_BLOCK)?, number(p, 1..=MAX_PARALLEL)?);
        let length = hash.len();
        Some((
            Self {
                log_n,
                r,
                p,
                salt,
                length,
            },
            hash,
        ))
    }

    /// N blocks of 128 r bytes, and r for each lane and one in hand.
    pub(in crate::password) const fn memory_kib(&self) -> u32 {
        (((1 << self.log_n) + self.p + 1) * self.r).div_ceil(8)
    }

    /// `None` where there is no memory.
    pub(in crate::password) fn derive(&self, password: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let params = Params::new(u8::try_from(self.log_n).ok()?, self.r, self.p).ok()?;
        let mut hash = Zeroizing::new(vec![0; self.length]);
        // The function itself would end the program; so we ask first.
        Vec::<u8>::new()
            .try_reserve_exact(self.memory_kib() as usize * 1_024)
            .ok()?;
        scrypt::scrypt(password, &self.salt, &params, &mut hash).ok()?;
        Some(hash)
    }
}

impl fmt::Display for Scrypt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "scrypt ln={} r={} p={}", self.log_n, self.r, self.p)
    }
}
