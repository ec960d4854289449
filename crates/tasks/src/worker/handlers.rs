use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::BoxFuture;

use super::{TaskCtx, TaskError};
use crate::{Error, Payload, TypedTask};

pub(super) type Output = Result<Option<Payload>, TaskError>;

/// What a worker can do, by name.
#[derive(Default)]
pub struct Handlers {
    known: HashMap<String, Handler>,
    twice: Option<String>,
}

#[derive(Clone)]
pub(super) struct Handler {
    pub(super) run: Arc<dyn Fn(TaskCtx, Payload) -> BoxFuture<'static, Output> + Send + Sync>,
    pub(super) backoff: fn(u32) -> Option<Duration>,
}

impl Handlers {
    /// None.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tasks of this type are done by `run`. One whose payload does not fit the type fails at once.
    #[must_use]
    pub fn on<T, F>(self, run: impl Fn(TaskCtx, T) -> F + Send + Sync + 'static) -> Self
    where
        T: TypedTask,
        F: Future<Output = Result<T::Output, TaskError>> + Send + 'static,
    {
        let run = Arc::new(run);
        let read = move |ctx: TaskCtx, payload: Payload| -> BoxFuture<'static, Output> {
            let run = run.clone();
            Box::pin(async move {
                let task = payload.read::<T>().map_err(unfit)?;
                let output = run(ctx, task).await?;
                written(&output)
            })
        };
        self.with(T::NAME, Arc::new(read), T::backoff)
    }

    /// Tasks of this name are done by `run`, which gets the payload as it was stored.
    #[must_use]
    pub fn on_name<F>(
        self,
        name: &str,
        run: impl Fn(TaskCtx, Payload) -> F + Send + Sync + 'static,
    ) -> Self
    where
        F: Future<Output = Output> + Send + 'static,
    {
        let run = move |ctx, payload| -> BoxFuture<'static, Output> { Box::pin(run(ctx, payload)) };
        self.with(name, Arc::new(run), |_| None)
    }

    /// These and those.
    #[must_use]
    pub fn and(mut self, others: Self) -> Self {
        self.twice = self.twice.or(others.twice);
        for (name, handler) in others.known {
            self = self.with(&name, handler.run, handler.backoff);
        }
        self
    }

    fn with(
        mut self,
        name: &str,
        run: Arc<dyn Fn(TaskCtx, Payload) -> BoxFuture<'static, Output> + Send + Sync>,
        backoff: fn(u32) -> Option<Duration>,
    ) -> Self {
        let handler = Handler { run, backoff };
        if self.known.insert(name.to_owned(), handler).is_some() {
            self.twice = Some(name.to_owned());
        }
        self
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        match &self.twice {
            Some(name) => Err(Error::TwoHandlers(name.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn names(&self) -> Vec<String> {
        let mut names: Vec<_> = self.known.keys().cloned().collect();
        names.sort_unstable();
        names
    }

    pub(super) fn get(&self, name: &str) -> Option<&Handler> {
        self.known.get(name)
    }
}

impl fmt::Debug for Handlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.names()).finish()
    }
}

/// The text of the error names the place, and never the payload.
fn unfit(error: serde_json::Error) -> TaskError {
    let place = format!("line {}, column {}", error.line(), error.column());
    TaskError::dead(format!("the payload does not fit the type, at {place}"))
        .code("payload_invalid")
}

fn written(output: &impl serde::Serialize) -> Output {
    let payload = Payload::of(output).map_err(|_| {
        TaskError::dead("the result is not what JSON can write").code("result_invalid")
    })?;
    Ok(Some(payload).filter(|payload| payload.as_str() != "null"))
}
