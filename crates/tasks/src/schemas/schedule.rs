use std::time::Duration;

use cgcg_core::Timestamp;

use super::{Name, Payload, QueueName, TaskId};

/// Work that comes again and again.
#[derive(Debug, Clone, PartialEq)]
pub struct ScheduleCreate {
    /// When: five fields as cron has them, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    pub cron: String,
    /// IANA name of the time zone that `cron` is read in.
    pub time_zone: String,
    /// Which handler does it.
    pub task: Name,
    /// What it is told, each time.
    pub payload: Payload,
    /// Where its tasks wait; `default` where absent.
    pub queue: Option<QueueName>,
    /// Of its tasks, 0 to 999; lower runs first. 100 where absent.
    pub priority: Option<i16>,
    /// Of its tasks, 1 to 100; the settings' where absent.
    pub max_attempts: Option<u32>,
    /// Of its tasks, 1 s to 7 d; the settings' where absent.
    pub timeout: Option<Duration>,
    /// Whether a task is made while the last one has not ended.
    pub overlap: Overlap,
    /// How many missed ticks are made up after a pause of the program: the newest. 0 to 100.
    pub catch_up: u8,
}

/// What a schedule does while its last task has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Overlap {
    /// It lets the tick pass.
    #[default]
    Skip,
    /// It makes another one.
    Allow,
}

impl ScheduleCreate {
    /// In UTC, one missed tick is made up, and the rest as the settings say.
    pub fn new(cron: impl Into<String>, task: Name, payload: Payload) -> Self {
        Self {
            cron: cron.into(),
            time_zone: "UTC".to_owned(),
            task,
            payload,
            queue: None,
            priority: None,
            max_attempts: None,
            timeout: None,
            overlap: Overlap::Skip,
            catch_up: 1,
        }
    }
}

/// A schedule and how it stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// When.
    pub cron: String,
    /// In which time zone.
    pub time_zone: String,
    /// Which handler does it.
    pub task: String,
    /// What it is told, each time.
    pub payload: Payload,
    /// Where its tasks wait.
    pub queue: String,
    /// Of its tasks; lower runs first.
    pub priority: i16,
    /// Of its tasks.
    pub max_attempts: u32,
    /// Of its tasks.
    pub timeout: Duration,
    /// Whether a task is made while the last one has not ended.
    pub overlap: Overlap,
    /// How many missed ticks are made up.
    pub catch_up: u8,
    /// Whether it stands still.
    pub paused: bool,
    /// Its next tick.
    pub next_at: Timestamp,
    /// Its last tick that was taken.
    pub last_at: Option<Timestamp>,
    /// The last task that it made.
    pub last_task: Option<TaskId>,
    /// Grows with each change.
    pub version: i64,
}

/// A change of a schedule. Absent is unchanged.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ScheduleUpdate {
    /// When.
    pub cron: Option<String>,
    /// In which time zone.
    pub time_zone: Option<String>,
    /// Which handler does it.
    pub task: Option<Name>,
    /// What it is told.
    pub payload: Option<Payload>,
    /// Where its tasks wait.
    pub queue: Option<QueueName>,
    /// Of its tasks, 0 to 999; lower runs first.
    pub priority: Option<i16>,
    /// Of its tasks, 1 to 100.
    pub max_attempts: Option<u32>,
    /// Of its tasks, 1 s to 7 d.
    pub timeout: Option<Duration>,
    /// Whether a task is made while the last one has not ended.
    pub overlap: Option<Overlap>,
    /// How many missed ticks are made up. 0 to 100.
    pub catch_up: Option<u8>,
    /// Whether it stands still.
    pub paused: Option<bool>,
}

impl ScheduleUpdate {
    /// What a schedule says once this is done to it.
    pub(crate) fn over(self, old: Schedule) -> Result<ScheduleCreate, cgcg_core::Invalid> {
        Ok(ScheduleCreate {
            cron: self.cron.unwrap_or(old.cron),
            time_zone: self.time_zone.unwrap_or(old.time_zone),
            task: self.task.map_or_else(|| Name::parse(old.task), Ok)?,
            payload: self.payload.unwrap_or(old.payload),
            queue: Some(self.queue.map_or_else(|| QueueName::parse(old.queue), Ok)?),
            priority: Some(self.priority.unwrap_or(old.priority)),
            max_attempts: Some(self.max_attempts.unwrap_or(old.max_attempts)),
            timeout: Some(self.timeout.unwrap_or(old.timeout)),
            overlap: self.overlap.unwrap_or(old.overlap),
            catch_up: self.catch_up.unwrap_or(old.catch_up),
        })
    }
}
