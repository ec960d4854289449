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
    /// Where its tasks wait.
    pub queue: String,
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
