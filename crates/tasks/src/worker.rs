mod ahead;
pub(crate) mod backoff;
mod claims;
mod context;
mod execution;
mod failure;
mod handlers;
mod keeper;
pub(crate) mod leases;
mod shutdown;
mod span;

use std::sync::Arc;
use std::time::Duration;

use cgcg_core::Id;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use context::TaskCtx;
pub use failure::TaskError;
pub use handlers::Handlers;

use crate::store::worker::{Seen, gone, seen};
use crate::{Error, QueueName, Service};
use keeper::Keeper;
use leases::Leases;

/// Runs tasks in this process.
#[derive(Debug)]
pub struct Worker {
    tasks: Service,
    handlers: Handlers,
    queues: Vec<(String, u16)>,
}

/// How long the end of a worker waits for a database that does not answer.
const ANSWER: Duration = Duration::from_secs(5);

/// What all executions of one worker share.
pub(crate) struct Running {
    tasks: Service,
    handlers: Handlers,
    /// Those that this worker has handlers for.
    names: Arc<[String]>,
    /// New with each start, so that nothing of an earlier life is taken for its own.
    id: Arc<str>,
    leases: Arc<Leases>,
    executions: TaskTracker,
    /// Cancelled: handlers are asked to stop.
    stopping: CancellationToken,
    /// Cancelled: what still runs is given back.
    release: CancellationToken,
}

/// A queue and its free places.
struct Slots {
    queue: Arc<str>,
    free: Arc<Semaphore>,
    all: u16,
}

impl Worker {
    /// Takes from the queues of the settings; or from those given by [`Worker::queue`], and no others.
    pub fn new(tasks: Service, handlers: Handlers) -> Self {
        Self {
            tasks,
            handlers,
            queues: Vec::new(),
        }
    }

    /// Takes from this queue too, up to `slots` (1 to 1000) tasks at once.
    #[must_use]
    pub fn queue(mut self, queue: &str, slots: u16) -> Self {
        self.queues.push((queue.to_owned(), slots));
        self
    }

    /// Takes tasks and runs them until `stop`; keeps the queue in order meanwhile. Then it waits for its handlers, asks
    /// those to stop that are not done, and gives the rest back, within `shutdown_grace`.
    ///
    /// # Errors
    /// [`Error::TwoHandlers`]; [`Error::Invalid`] for a queue; [`Error::Thread`]. Once it runs, nothing ends it but
    /// `stop`: it survives a database that goes away.
    pub async fn run_until(self, stop: CancellationToken) -> Result<(), Error> {
        self.handlers.check()?;
        let queues: Arc<[Slots]> = self.slots()?.into();
        let run = Arc::new(self.running());
        // Where this future is dropped, its executions are given back.
        let _given_back = run.release.clone().drop_guard();
        let keeper = Keeper::start(&run)?;
        let tended = CancellationToken::new();
        let beside = tokio::spawn(run.clone().beside(queues.clone(), tended.clone()));
        let tended = tended.drop_guard();
        let mut claims = JoinSet::new();
        for slots in &*queues {
            run.tasks.name_in_metrics(&slots.queue);
            let (queue, free) = (slots.queue.clone(), slots.free.clone());
            claims.spawn(run.clone().claim_until(queue, free, stop.clone()));
        }
        while claims.join_next().await.is_some() {}
        run.end().await;
        drop(tended);
        // What a database that does not answer holds up ends by itself, later.
        if tokio::time::timeout(ANSWER, beside).await.is_err() {
            tracing::warn!("the database does not answer; this worker ends without its last words");
        }
        keeper.end().await;
        Ok(())
    }

    fn slots(&self) -> Result<Vec<Slots>, Error> {
        let given = self.queues.iter().map(|(queue, slots)| (queue, *slots));
        let of_settings = self.tasks.settings().queues.iter();
        let queues: Vec<_> = match self.queues.is_empty() {
            true => of_settings.map(|(queue, slots)| (queue, *slots)).collect(),
            false => given.collect(),
        };
        let slots = queues.into_iter().map(|(queue, slots)| {
            let queue: QueueName = queue.parse().map_err(|invalid| Error::Invalid {
                field: "queue",
                invalid,
            })?;
            if !(1..=1_000).contains(&slots) {
                return Err(Error::invalid(
                    "slots",
                    "out_of_range",
                    "expected 1 to 1000",
                ));
            }
            Ok(Slots {
                queue: queue.as_str().into(),
                free: Arc::new(Semaphore::new(slots.into())),
                all: slots,
            })
        });
        slots.collect()
    }

    fn running(self) -> Running {
        let settings = self.tasks.settings();
        let leases = Leases::new(
            self.tasks.clock().clone(),
            settings.lease.get(),
            settings.beat.get(),
        );
        let chance = Id::<Worker>::new(self.tasks.clock().now());
        Running {
            names: self.handlers.names().into(),
            id: format!("{}:{}:{chance}", host(), std::process::id()).into(),
            leases: Arc::new(leases),
            executions: TaskTracker::new(),
            stopping: CancellationToken::new(),
            release: CancellationToken::new(),
            handlers: self.handlers,
            tasks: self.tasks,
        }
    }
}

/// For people who look at who works.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    match name.trim() {
        "" => "host".to_owned(),
        name => name.chars().take(64).collect(),
    }
}

impl Running {
    /// Keeps the queue in order, and this worker on the list.
    async fn beside(self: Arc<Self>, queues: Arc<[Slots]>, stop: CancellationToken) {
        tokio::join!(
            self.tasks.maintain_until(stop.clone()),
            self.show_until(&queues, &stop)
        );
        self.leave().await;
    }

    /// Shows this worker to people, with a sign of life now and then.
    async fn show_until(&self, queues: &[Slots], stop: &CancellationToken) {
        let every = 2 * self.tasks.settings().lease.get();
        loop {
            if let Err(error) = self.show(queues).await {
                tracing::debug!(%error, "cannot show this worker; trying again");
            }
            if !self.tasks.pause(every, stop).await {
                return;
            }
        }
    }

    async fn show(&self, queues: &[Slots]) -> Result<(), sqlx::Error> {
        let slots = queues.iter().map(|slots| (&*slots.queue, slots.all));
        let worker = Seen {
            id: &self.id,
            host: &host(),
            pid: std::process::id().into(),
            queues: json!(slots.collect::<std::collections::BTreeMap<_, _>>()),
            running: i64::try_from(self.leases.count()).unwrap_or(i64::MAX),
        };
        let mut conn = self.tasks.db().begin().await?;
        let now = crate::store::now(&**self.tasks.clock(), &conn);
        seen(&mut conn, now, &worker).await?;
        conn.commit().await
    }

    async fn leave(&self) {
        let left = async {
            let mut conn = self.tasks.db().begin().await?;
            let now = crate::store::now(&**self.tasks.clock(), &conn);
            gone(
                &mut conn,
                now,
                &self.id,
                10 * self.tasks.settings().lease.get(),
            )
            .await?;
            conn.commit().await
        };
        if let Err(error) = left.await {
            tracing::debug!(%error, "cannot take this worker off the list; others will");
        }
    }
}
