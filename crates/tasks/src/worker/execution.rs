use std::sync::Arc;
use std::time::Duration;

use metrics::{counter, histogram};
use serde_json::{Value, json};
use tokio::task::JoinError;
use tracing::{Instrument, Span, debug, warn};

use super::backoff::{doubled, spread};
use super::failure::Then;
use super::handlers::{Handler, Output};
use super::leases::Signals;
use super::span::span;
use super::{Running, TaskCtx, TaskError};
use crate::Payload;
use crate::schemas::text;
use crate::store::claim::Claimed;
use crate::store::lease::{Done, Fence, Next, Settled};

/// The longest pause between two tries to write how an execution ended.
const LONGEST: Duration = Duration::from_secs(2);

/// How an execution ended.
enum End {
    Handler(Result<Output, JoinError>),
    /// Its time was over.
    Timeout,
    /// It was asked to stop and did not.
    Cancelled,
    /// The worker ends.
    Release,
    /// The lease is over.
    Lost,
}

/// What is written of it.
enum Write {
    Done(Option<String>),
    Settled(Next, Option<Value>),
    Nothing,
}

impl Running {
    pub(super) async fn execute(
        self: Arc<Self>,
        task: Claimed,
        asked_at: Duration,
        signals: Signals,
    ) {
        let fence = task.fence();
        let (started, span) = (self.tasks.clock().monotonic(), span(&task));
        // Only names with a handler were asked for.
        if let Some(handler) = self.handlers.get(&task.name).cloned() {
            let end = self.run(&task, &handler, asked_at, &signals, &span).await;
            let (outcome, write) = self.judge(&task, &handler, end);
            span.record("task.outcome", outcome);
            self.write(&task, outcome, write).await;
            let seconds = (self.tasks.clock().monotonic() - started).as_secs_f64();
            histogram!("cgcg_tasks_run_seconds", "name" => task.name.clone(), "outcome" => outcome)
                .record(seconds);
        }
        self.leases.give_up(fence);
    }

    /// For a task that did not begin.
    pub(super) async fn give_back(&self, task: &Claimed, signals: &Signals) {
        let fence = task.fence();
        let (outcome, write) = if !self.leases.trusted(fence) {
            ("lost", Write::Nothing)
        } else if signals.asked.is_cancelled() {
            ("cancelled", Write::Settled(Next::Cancel, None))
        } else {
            ("released", Write::Settled(Next::Release, None))
        };
        self.write(task, outcome, write).await;
        self.leases.give_up(fence);
    }

    async fn run(
        self: &Arc<Self>,
        task: &Claimed,
        handler: &Handler,
        asked_at: Duration,
        signals: &Signals,
        span: &Span,
    ) -> End {
        let clock = self.tasks.clock();
        let until = asked_at + task.timeout();
        let ctx = TaskCtx::new(self.clone(), task, signals.stop.clone(), until);
        let payload = Payload::stored(text(task.payload.clone().unwrap_or_default()));
        // A task of its own: a panic stays in it, and it can be stopped from outside.
        let mut handler = tokio::spawn((handler.run)(ctx, payload).instrument(span.clone()));
        let grace = self.tasks.settings().cancel_grace.get();
        let end = tokio::select! {
            biased;
            () = signals.lost.cancelled() => End::Lost,
            done = &mut handler => return End::Handler(done),
            () = self.release.cancelled() => End::Release,
            () = clock.sleep(until.saturating_sub(clock.monotonic())) => End::Timeout,
            () = async { signals.asked.cancelled().await; clock.sleep(grace).await } => End::Cancelled,
        };
        signals.stop.cancel();
        handler.abort();
        end
    }

    fn judge(&self, task: &Claimed, handler: &Handler, end: End) -> (&'static str, Write) {
        match end {
            End::Lost => ("lost", Write::Nothing),
            End::Handler(Ok(Ok(_))) if self.leases.is_written(task.fence()) => {
                ("succeeded", Write::Nothing)
            }
            End::Handler(Ok(Ok(result))) => self.succeed(task, result),
            End::Handler(Ok(Err(error))) => self.fail(task, handler, &error),
            End::Handler(Err(error)) if error.is_panic() => self.fail(
                task,
                handler,
                &TaskError::retry("the handler panicked").code("panic"),
            ),
            // Its runtime ends.
            End::Handler(Err(_)) | End::Release => {
                ("released", Write::Settled(Next::Release, None))
            }
            End::Timeout => self.fail(
                task,
                handler,
                &TaskError::retry("its time was over").code("timeout"),
            ),
            End::Cancelled => ("cancelled", Write::Settled(Next::Cancel, None)),
        }
    }

    fn succeed(&self, task: &Claimed, result: Option<Payload>) -> (&'static str, Write) {
        let limit = self.tasks.settings().result_limit.bytes();
        let result = result.map(Payload::into_string);
        if result.as_ref().is_some_and(|result| result.len() > limit) {
            // Running again would not make it smaller.
            let error = TaskError::dead(format!("the result is larger than {limit} bytes"));
            let told = self.told(task, &error.code("result_too_large"));
            return ("failed", Write::Settled(Next::Fail, Some(told)));
        }
        ("succeeded", Write::Done(result))
    }

    fn fail(&self, task: &Claimed, handler: &Handler, error: &TaskError) -> (&'static str, Write) {
        let told = Some(self.told(task, error));
        match error.then {
            Then::Snooze(time) => ("snoozed", Write::Settled(Next::Snooze(time), None)),
            Then::Cancelled => ("cancelled", Write::Settled(Next::Cancel, None)),
            Then::Retry(time) if task.attempt < task.max_attempts => {
                let pause = time.unwrap_or_else(|| self.pause(task, handler));
                ("retried", Write::Settled(Next::Retry(pause), told))
            }
            Then::Retry(_) | Then::Dead => ("failed", Write::Settled(Next::Fail, told)),
        }
    }

    fn pause(&self, task: &Claimed, handler: &Handler) -> Duration {
        let attempt = task.attempt.unsigned_abs();
        (handler.backoff)(attempt).unwrap_or_else(|| {
            let settings = self.tasks.settings();
            let (base, most) = (settings.backoff_base.get(), settings.backoff_max.get());
            spread(doubled(base, most, attempt), (task.id, attempt))
        })
    }

    fn told(&self, task: &Claimed, error: &TaskError) -> Value {
        json!({
            "at": self.tasks.clock().now().micros(),
            "attempt": task.attempt,
            "worker": &*self.id,
            "code": error.code,
            "error": error.text,
        })
    }

    /// Tries until it is written, or the lease cannot be trusted any more: then the task will run again.
    async fn write(&self, task: &Claimed, outcome: &'static str, write: Write) {
        let mut tries = 0;
        loop {
            let written = match &write {
                Write::Nothing => Ok(true),
                Write::Done(result) => {
                    let done = Done {
                        fence: task.fence(),
                        worker: self.id.to_string(),
                        result: result.clone(),
                    };
                    self.tasks.complete(done).await
                }
                Write::Settled(next, error) => {
                    let settled = Settled {
                        fence: task.fence(),
                        worker: self.id.to_string(),
                        next: *next,
                        error: error.clone(),
                    };
                    self.tasks
                        .settle(settled)
                        .await
                        .map(|moved| moved.is_some())
                }
            };
            match written {
                Ok(held) => return self.count(task, outcome, held),
                Err(error) => {
                    tries += 1;
                    warn!(task.id = %task.id, outcome, %error, "cannot write how a task ended; trying again");
                }
            }
            if !self.leases.trusted(task.fence()) {
                counter!("cgcg_tasks_dropped_results_total").increment(1);
                warn!(task.id = %task.id, outcome, "the lease is over before its end was written; the task runs again");
                return;
            }
            let pause = doubled(Duration::from_millis(50), LONGEST, tries);
            self.tasks
                .clock()
                .sleep(spread(pause, (task.id, tries)))
                .await;
        }
    }

    fn count(&self, task: &Claimed, outcome: &'static str, held: bool) {
        if outcome == "lost" {
            counter!("cgcg_tasks_lease_lost_total").increment(1);
            warn!(task.id = %task.id, task.lease, "the lease is lost; its work was stopped");
        } else if held {
            counter!("cgcg_tasks_finished_total", "name" => task.name.clone(), "outcome" => outcome)
                .increment(1);
            if outcome == "retried" {
                counter!("cgcg_tasks_retried_total", "name" => task.name.clone()).increment(1);
            }
            debug!(task.id = %task.id, task.name, task.attempt, outcome, "task ended");
        } else {
            counter!("cgcg_tasks_stale_refused_total").increment(1);
            warn!(task.id = %task.id, task.lease, outcome, "the lease was lost; what its work gave is thrown away");
        }
    }
}

impl Claimed {
    pub(crate) const fn fence(&self) -> Fence {
        Fence {
            id: self.id,
            seq: self.seq,
            lease: self.lease,
        }
    }

    /// The hard end of one execution, from its claim on.
    pub(super) fn timeout(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.timeout_us).unwrap_or_default())
    }
}
