use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Conn, Timestamp};
use serde::Serialize;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use super::{Running, TaskError};
use crate::store::claim::Claimed;
use crate::store::lease::{Done, Fence};
use crate::{Error, Payload, TaskId};

/// What a handler knows of the task that it runs. A cheap clone.
#[derive(Clone)]
pub struct TaskCtx {
    run: Arc<Running>,
    id: TaskId,
    fence: Fence,
    attempt: u32,
    max_attempts: u32,
    tick: Option<Timestamp>,
    trace: Option<Arc<str>>,
    cancelled: CancellationToken,
    /// On the monotonic clock.
    until: Duration,
}

impl TaskCtx {
    pub(super) fn new(
        run: Arc<Running>,
        task: &Claimed,
        cancelled: CancellationToken,
        until: Duration,
    ) -> Self {
        Self {
            run,
            id: task.id,
            fence: task.fence(),
            attempt: task.attempt.unsigned_abs(),
            max_attempts: task.max_attempts.unsigned_abs(),
            tick: task.tick_at,
            trace: task.trace.as_deref().map(Into::into),
            cancelled,
            until,
        }
    }

    /// The task.
    pub const fn id(&self) -> TaskId {
        self.id
    }

    /// Which attempt this is, from 1.
    pub const fn attempt(&self) -> u32 {
        self.attempt
    }

    /// After so many it fails for good.
    pub const fn max_attempts(&self) -> u32 {
        self.max_attempts
    }

    /// The time for which a schedule made it.
    pub const fn tick(&self) -> Option<Timestamp> {
        self.tick
    }

    /// The W3C `traceparent` of whoever made it, to be sent along with what is done for it.
    pub fn traceparent(&self) -> Option<&str> {
        self.trace.as_deref()
    }

    /// `<task>:<lease>`: names this execution alone, and grows with each. Give it to whoever does outside effects, to
    /// be refused there when a later one was seen: an execution that outlives its lease can overlap the next.
    pub fn token(&self) -> String {
        format!("{}:{}", self.id, self.fence.lease)
    }

    /// Tells how far it is: 0 to 100 per cent, and a text of which 1 KiB is kept. It is sent within a moment; of
    /// several, the newest.
    pub fn progress(&self, percent: u8, message: &str) {
        let message = message.replace('\0', "\u{fffd}");
        let cut = &message[..message.floor_char_boundary(1_024)];
        let progress = json!({ "pct": percent.min(100), "msg": cut });
        self.run.leases.tell(self.fence, progress);
    }

    /// Cancelled when somebody wants the task to end, when its lease is lost, its time is over, or the worker stops.
    /// Return [`TaskError::cancelled`] then.
    pub const fn cancelled(&self) -> &CancellationToken {
        &self.cancelled
    }

    /// Until the hard end of this attempt.
    pub fn time_left(&self) -> Duration {
        self.until
            .saturating_sub(self.run.tasks.clock().monotonic())
    }

    /// Runs what blocks, or computes for long, on a thread for such things. It cannot be stopped: it goes on after the
    /// end of this attempt.
    ///
    /// # Errors
    /// Where it panics: the attempt fails.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, TaskError> {
        let done = tokio::task::spawn_blocking(work).await;
        done.map_err(|_| TaskError::retry("blocking work panicked").code("panic"))
    }

    /// Ends the task with this result in the handler's own transaction: its rows and the end are kept together, once.
    /// Commit within [`TaskCtx::time_left`], then return `Ok`; what is returned is not written again. Where the commit
    /// fails, return the error.
    ///
    /// # Errors
    /// [`Error::LeaseLost`]: another execution may run. [`Error::OtherDatabase`], [`Error::TooLarge`], [`Error::Invalid`],
    /// [`Error::Database`]. After any of them roll back: where the disk is full SQLite has done so itself, and what is
    /// written with `conn` then is kept at once.
    pub async fn complete_in(&self, conn: &mut Conn, output: &impl Serialize) -> Result<(), Error> {
        let result = Payload::of(output).map_err(|invalid| Error::Invalid {
            field: "result",
            invalid,
        })?;
        let limit = self.run.tasks.settings().result_limit.bytes();
        if result.as_str().len() > limit {
            return Err(Error::TooLarge { limit });
        }
        let done = Done {
            fence: self.fence,
            worker: self.run.id.to_string(),
            result: Some(result.into_string()).filter(|text| text != "null"),
        };
        self.run.tasks.complete_in(conn, done).await?;
        self.run.leases.written(self.fence);
        Ok(())
    }
}
