use std::time::Duration;

use cgcg_core::{Conn, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Created, Error, Name, Payload, QueueName, Service, TaskCreate, TraceParent};

/// A payload that knows which handler does it.
pub trait TypedTask: Serialize + DeserializeOwned + Send + 'static {
    /// The handler's name, written by hand: the name of a type changes when code moves, and stored tasks would be left
    /// behind.
    const NAME: &'static str;
    /// What the handler gives back; `()` for nothing.
    type Output: Serialize;

    /// What its tasks have where the maker says nothing.
    fn defaults() -> Defaults {
        Defaults::default()
    }

    /// The pause after that attempt, from 1; the settings' where absent.
    fn backoff(_attempt: u32) -> Option<Duration> {
        None
    }
}

/// What tasks of one type have; the settings' where absent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Defaults {
    queue: Option<&'static str>,
    priority: Option<i16>,
    max_attempts: Option<u32>,
    timeout: Option<Duration>,
}

impl Defaults {
    /// Tasks that wait in this queue.
    pub fn queue(queue: &'static str) -> Self {
        Self {
            queue: Some(queue),
            ..Self::default()
        }
    }

    /// 0 to 999; lower runs first.
    #[must_use]
    pub fn priority(self, priority: i16) -> Self {
        Self {
            priority: Some(priority),
            ..self
        }
    }

    /// 1 to 100.
    #[must_use]
    pub fn max_attempts(self, attempts: u32) -> Self {
        Self {
            max_attempts: Some(attempts),
            ..self
        }
    }

    /// The hard end of one attempt. 1 s to 7 d.
    #[must_use]
    pub fn timeout(self, time: Duration) -> Self {
        Self {
            timeout: Some(time),
            ..self
        }
    }
}

/// A task to be made. What does not fit is told by [`TaskBuilder::create`].
#[derive(Debug)]
#[must_use = "nothing is made before `create`"]
pub struct TaskBuilder<'a> {
    tasks: &'a Service,
    new: Result<TaskCreate, Error>,
}

impl Service {
    /// A task of a type; made by `create` or `create_in`.
    pub fn new_task<T: TypedTask>(&self, task: T) -> TaskBuilder<'_> {
        TaskBuilder {
            tasks: self,
            new: typed(&task),
        }
    }
}

fn typed<T: TypedTask>(task: &T) -> Result<TaskCreate, Error> {
    let invalid = |field| move |invalid| Error::Invalid { field, invalid };
    let name = Name::parse(T::NAME).map_err(invalid("name"))?;
    let payload = Payload::of(task).map_err(invalid("payload"))?;
    let defaults = T::defaults();
    let queue = defaults.queue.map(QueueName::parse).transpose();
    Ok(TaskCreate {
        queue: queue.map_err(invalid("queue"))?,
        priority: defaults.priority,
        max_attempts: defaults.max_attempts,
        timeout: defaults.timeout,
        ..TaskCreate::new(name, payload)
    })
}

impl TaskBuilder<'_> {
    fn with(mut self, change: impl FnOnce(&mut TaskCreate)) -> Self {
        if let Ok(new) = &mut self.new {
            change(new);
        }
        self
    }

    /// Id of the principal that makes it.
    pub fn owner(self, owner: impl Into<String>) -> Self {
        self.with(|new| new.owner = owner.into())
    }

    /// 0 to 999; lower runs first.
    pub fn priority(self, priority: i16) -> Self {
        self.with(|new| new.priority = Some(priority))
    }

    /// Not before.
    pub fn run_at(self, at: Timestamp) -> Self {
        self.with(|new| new.run_at = Some(at))
    }

    /// Not before so long from now.
    pub fn run_in(self, delay: Duration) -> Self {
        self.with(|new| new.delay = Some(delay))
    }

    /// While a task of this owner, name and key has not ended, a second one is not made.
    pub fn unique(self, key: impl Into<String>) -> Self {
        self.with(|new| new.unique_key = Some(key.into()))
    }

    /// With a key: nor within so long after one was made.
    pub fn unique_for(self, time: Duration) -> Self {
        self.with(|new| new.unique_for = Some(time))
    }

    /// What a queue's limits for each key count by.
    pub fn concurrency_key(self, key: impl Into<String>) -> Self {
        self.with(|new| new.concurrency_key = Some(key.into()))
    }

    /// In which trace it is made; its executions belong there.
    pub fn trace(self, trace: TraceParent) -> Self {
        self.with(|new| new.trace = Some(trace))
    }

    /// Durable when this returns.
    ///
    /// # Errors
    /// As [`Service::create`].
    pub async fn create(self) -> Result<Created, Error> {
        self.tasks.create(self.new?).await
    }

    /// In the caller's transaction: it exists if that commits.
    ///
    /// # Errors
    /// As [`Service::create_in`].
    pub async fn create_in(self, conn: &mut Conn) -> Result<Created, Error> {
        self.tasks.create_in(conn, self.new?).await
    }
}
