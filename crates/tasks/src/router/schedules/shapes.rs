use cgcg_core::{Invalid, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::router::create::null;
use crate::router::numbers::{fit, max_attempts, priority, refused, seconds};
use crate::router::shapes::raw;
use crate::{Error, Host, Name, Payload, QueueName, ScheduleCreate, ScheduleUpdate, TaskId};

/// Work that comes again and again.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScheduleCreate, example = json!({
    "name": "report.daily",
    "cron": "30 6 * * mon-fri",
    "time_zone": "Europe/Berlin",
    "task": "report",
    "payload": { "kind": "sales" },
}))]
pub(in crate::router) struct NewSchedule {
    /// Its own name: 1 to 128 ASCII letters, digits and `._:-`.
    pub(super) name: String,
    /// When: five fields as cron has them, or `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    cron: String,
    /// IANA name of the time zone that `cron` is read in; `UTC` where absent.
    time_zone: Option<String>,
    /// Name of its tasks: which handler does them.
    task: String,
    /// What its tasks are told: any JSON; `null` where absent.
    #[serde(default = "null")]
    #[schema(value_type = Option<Value>)]
    payload: Box<RawValue>,
    /// Where its tasks wait; `default` where absent.
    queue: Option<String>,
    /// Of its tasks; lower runs first. 100 where absent.
    #[schema(minimum = 0, maximum = 999)]
    priority: Option<i64>,
    /// Of its tasks: after so many attempts they fail for good.
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    /// Of its tasks: the hard end of one attempt, in seconds.
    #[schema(minimum = 1, maximum = 604_800)]
    timeout_s: Option<i64>,
    /// Whether a task is made while the last one has not ended; `skip` where absent.
    overlap: Option<Overlap>,
    /// How many missed ticks are made up after a pause of the program; 1 where absent.
    #[schema(minimum = 0, maximum = 100)]
    catch_up: Option<i64>,
    /// It makes no tasks yet.
    #[serde(default)]
    #[schema(required = false)]
    pub(super) paused: bool,
}

/// What a schedule does while its last task has not ended.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(in crate::router) enum Overlap {
    /// It lets the tick pass.
    Skip,
    /// It makes another one.
    Allow,
}

/// Changes of a schedule. What is absent stays.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = ScheduleUpdate, example = json!({ "cron": "0 7 * * *", "paused": false }))]
pub(in crate::router) struct Change {
    /// When.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    cron: Option<String>,
    /// In which time zone.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    time_zone: Option<String>,
    /// Name of its tasks.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    task: Option<String>,
    /// What its tasks are told.
    #[serde(default, deserialize_with = "some")]
    #[schema(value_type = Option<Value>)]
    payload: Option<Box<RawValue>>,
    /// Where its tasks wait.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    queue: Option<String>,
    /// Of its tasks; lower runs first.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false, minimum = 0, maximum = 999)]
    priority: Option<i64>,
    /// Of its tasks.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false, minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    /// Of its tasks.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false, minimum = 1, maximum = 604_800)]
    timeout_s: Option<i64>,
    /// Whether a task is made while the last one has not ended.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    overlap: Option<Overlap>,
    /// How many missed ticks are made up.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false, minimum = 0, maximum = 100)]
    catch_up: Option<i64>,
    /// Whether it stands still.
    #[serde(default, deserialize_with = "refused")]
    #[schema(nullable = false)]
    paused: Option<bool>,
}

/// `null` is a payload like any other.
fn some<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Box<RawValue>>, D::Error> {
    Box::<RawValue>::deserialize(deserializer).map(Some)
}

/// A schedule and how it stands.
#[derive(Serialize, ToSchema)]
pub(in crate::router) struct Schedule {
    /// Its name.
    pub(super) name: String,
    /// When.
    cron: String,
    /// In which time zone.
    time_zone: String,
    /// Name of its tasks.
    task: String,
    /// What its tasks are told.
    #[schema(value_type = Value)]
    payload: Option<Box<RawValue>>,
    /// Where its tasks wait.
    queue: String,
    /// Of its tasks; lower runs first.
    priority: i16,
    /// Of its tasks.
    max_attempts: u32,
    /// Of its tasks.
    timeout_s: u64,
    /// Whether a task is made while the last one has not ended.
    overlap: Overlap,
    /// How many missed ticks are made up.
    catch_up: u8,
    /// Whether it stands still.
    paused: bool,
    /// Its next tick.
    next_at: Timestamp,
    /// Its last tick that was taken.
    #[schema(required = true)]
    last_at: Option<Timestamp>,
    /// The last task that a tick made.
    #[schema(required = true, inline)]
    last_task: Option<TaskId>,
}

/// All schedules, by name.
#[derive(Serialize, ToSchema)]
pub(in crate::router) struct Schedules {
    pub(super) items: Vec<Schedule>,
}

impl NewSchedule {
    pub(super) fn checked(self, host: &Host) -> Result<ScheduleCreate, Error> {
        let new = ScheduleCreate::new(self.cron, task(host, self.task)?, payload(&self.payload)?);
        Ok(ScheduleCreate {
            time_zone: self.time_zone.unwrap_or(new.time_zone),
            queue: self.queue.map(|name| queue(host, name)).transpose()?,
            priority: priority(self.priority)?,
            max_attempts: max_attempts(self.max_attempts)?,
            timeout: seconds("timeout_s", self.timeout_s)?,
            overlap: self.overlap.map_or(new.overlap, Into::into),
            catch_up: fit("catch_up", self.catch_up, "expected 0 to 100")?.unwrap_or(new.catch_up),
            cron: new.cron,
            task: new.task,
            payload: new.payload,
        })
    }
}

impl Change {
    pub(super) fn checked(self, host: &Host) -> Result<ScheduleUpdate, Error> {
        Ok(ScheduleUpdate {
            cron: self.cron,
            time_zone: self.time_zone,
            task: self.task.map(|name| task(host, name)).transpose()?,
            payload: self.payload.as_deref().map(payload).transpose()?,
            queue: self.queue.map(|name| queue(host, name)).transpose()?,
            priority: priority(self.priority)?,
            max_attempts: max_attempts(self.max_attempts)?,
            timeout: seconds("timeout_s", self.timeout_s)?,
            overlap: self.overlap.map(Into::into),
            catch_up: fit("catch_up", self.catch_up, "expected 0 to 100")?,
            paused: self.paused,
        })
    }
}

fn task(host: &Host, name: String) -> Result<Name, Error> {
    let name = Name::parse(name).map_err(invalid("task"))?;
    match host.owns(name.as_str()) {
        true => Err(Error::NameReserved),
        false => Ok(name),
    }
}

fn queue(host: &Host, name: String) -> Result<QueueName, Error> {
    let name = QueueName::parse(name).map_err(invalid("queue"))?;
    match host.owns(name.as_str()) {
        true => Err(Error::NameReserved),
        false => Ok(name),
    }
}

fn payload(text: &RawValue) -> Result<Payload, Error> {
    Payload::parse(text.get().to_owned()).map_err(invalid("payload"))
}

fn invalid(field: &'static str) -> impl Fn(Invalid) -> Error {
    move |invalid| Error::Invalid { field, invalid }
}

impl From<Overlap> for crate::Overlap {
    fn from(overlap: Overlap) -> Self {
        match overlap {
            Overlap::Skip => Self::Skip,
            Overlap::Allow => Self::Allow,
        }
    }
}

impl From<crate::Schedule> for Schedule {
    fn from(schedule: crate::Schedule) -> Self {
        Self {
            name: schedule.name,
            cron: schedule.cron,
            time_zone: schedule.time_zone,
            task: schedule.task,
            payload: raw(schedule.payload.into_string()),
            queue: schedule.queue,
            priority: schedule.priority,
            max_attempts: schedule.max_attempts,
            timeout_s: schedule.timeout.as_secs(),
            overlap: match schedule.overlap {
                crate::Overlap::Skip => Overlap::Skip,
                crate::Overlap::Allow => Overlap::Allow,
            },
            catch_up: schedule.catch_up,
            paused: schedule.paused,
            next_at: schedule.next_at,
            last_at: schedule.last_at,
            last_task: schedule.last_task,
        }
    }
}
