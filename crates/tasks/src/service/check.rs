//! What a request may say.

use std::time::Duration;

use cgcg_core::Timestamp;
use sha2::{Digest, Sha256};

use super::Service;
use super::create::Wanted;
use crate::settings::LONGEST;
use crate::store::enqueue::NewRow;
use crate::{Error, Settings, TaskCreate, TaskId, micros};

/// How far ahead a task may be scheduled.
const AHEAD: Duration = Duration::from_secs(5 * 366 * 24 * 3_600);

impl Service {
    /// A task as it may be stored.
    pub(super) fn check(&self, new: TaskCreate) -> Result<Wanted, Error> {
        let settings = self.settings();
        let limit = settings.payload_limit.bytes();
        if new.payload.as_str().len() > limit {
            return Err(Error::TooLarge { limit });
        }
        let max_attempts = checked_attempts(settings, new.max_attempts)?;
        let timeout = checked_timeout(settings, new.timeout)?;
        let run_at = self.run_at(&new)?;
        let unique_key = unique_key(&new)?;
        checked_key("concurrency_key", new.concurrency_key.as_deref(), 128)?;
        if new.owner.len() > 128 || new.owner.contains('\0') {
            return Err(Error::invalid(
                "owner",
                "text_invalid",
                "expected at most 128 bytes without NUL",
            ));
        }
        Ok(Wanted {
            window: new.unique_for,
            row: NewRow {
                id: TaskId::new(self.clock().now()),
                owner: new.owner,
                queue: new.queue.unwrap_or_default().as_str().to_owned(),
                name: new.name.as_str().to_owned(),
                priority: checked_priority(new.priority)?.unwrap_or(100),
                run_at,
                tick_at: None,
                max_attempts,
                timeout_us: micros(timeout),
                unique_key,
                conc_key: new.concurrency_key,
                trace: new.trace.map(|trace| trace.to_string()),
                payload: new.payload.into_string(),
            },
        })
    }

    fn run_at(&self, new: &TaskCreate) -> Result<Option<Timestamp>, Error> {
        match (new.run_at, new.delay) {
            (Some(_), Some(_)) => Err(Error::invalid(
                "run_at",
                "run_at_ambiguous",
                "expected a time or a delay, not both",
            )),
            // What was due before is due now, and not before all others.
            (at, None) => {
                let at = self.checked_time("run_at", at)?;
                Ok(at.filter(|at| *at > self.clock().now()))
            }
            (None, Some(delay)) => self.checked_time("delay", Some(self.clock().now() + delay)),
        }
    }

    pub(super) fn checked_time(
        &self,
        field: &'static str,
        at: Option<Timestamp>,
    ) -> Result<Option<Timestamp>, Error> {
        let now = self.clock().now();
        if at.is_some_and(|at| at > now + AHEAD) {
            return Err(Error::invalid(
                field,
                "run_at_too_far",
                "expected at most 5 years ahead",
            ));
        }
        Ok(at.map(|at| at.max(now)))
    }
}

fn out_of_range(field: &'static str, rule: &'static str) -> Error {
    Error::invalid(field, "out_of_range", rule)
}

pub(super) fn checked_attempts(settings: &Settings, attempts: Option<u32>) -> Result<i32, Error> {
    let attempts = attempts.unwrap_or(settings.default_max_attempts);
    match i32::try_from(attempts) {
        Ok(fits @ 1..=100) => Ok(fits),
        _ => Err(out_of_range("max_attempts", "expected 1 to 100")),
    }
}

pub(super) fn checked_timeout(
    settings: &Settings,
    timeout: Option<Duration>,
) -> Result<Duration, Error> {
    let timeout = timeout.unwrap_or(settings.default_timeout.get());
    match (Duration::from_secs(1)..=LONGEST.get()).contains(&timeout) {
        true => Ok(timeout),
        false => Err(out_of_range("timeout", "expected 1 s to 7 d")),
    }
}

pub(super) fn checked_priority(priority: Option<i16>) -> Result<Option<i16>, Error> {
    match priority {
        Some(number) if !(0..1_000).contains(&number) => {
            Err(out_of_range("priority", "expected 0 to 999"))
        }
        fits => Ok(fits),
    }
}

fn checked_key(field: &'static str, key: Option<&str>, most: usize) -> Result<(), Error> {
    let code = match key {
        Some("") => "key_empty",
        Some(key) if key.len() > most => "key_too_long",
        Some(key) if key.contains('\0') => "text_invalid",
        _ => return Ok(()),
    };
    Err(Error::invalid(
        field,
        code,
        format!("expected 1 to {most} bytes without NUL"),
    ))
}

/// Half of a hash: the keys of two owners or names never meet.
fn unique_key(new: &TaskCreate) -> Result<Option<Vec<u8>>, Error> {
    let Some(key) = &new.unique_key else {
        return match new.unique_for {
            Some(_) => Err(Error::invalid(
                "unique_for",
                "unique_key_missing",
                "expected with unique_key alone",
            )),
            None => Ok(None),
        };
    };
    checked_key("unique_key", Some(key), 256)?;
    if new
        .unique_for
        .is_some_and(|time| time.is_zero() || time > LONGEST.get())
    {
        return Err(out_of_range("unique_for", "expected up to 7 d"));
    }
    let mut hash = Sha256::new();
    for part in [&new.owner, new.name.as_str(), key] {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    Ok(Some(hash.finalize()[..16].to_vec()))
}
