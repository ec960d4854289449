use std::fmt;
use std::sync::Arc;

use cgcg_core::{BoxError, BoxFuture, Runs, Worker as Supervised};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::{Handlers, Service, Worker};

/// A program that hosts tasks for others: what it can do itself, which names are its own, and its background work.
///
/// Names and queues that start with `_`, and those of a module that has a handler, are the program's: with a handler
/// for `mail.send`, `mail.send`, `mail-late` and `mail` are. Others cannot create such tasks, or take them.
#[derive(Clone)]
pub struct Host(Arc<Inner>);

struct Inner {
    tasks: Service,
    handlers: Box<dyn Fn() -> Handlers + Send + Sync>,
    queues: Vec<(String, u16)>,
    /// What stands before the first dot of its handlers' names.
    own: Vec<String>,
    open: Vec<String>,
    /// Whether a worker of this process keeps the queue in order.
    works: watch::Sender<bool>,
    stopping: CancellationToken,
    #[cfg(feature = "router")]
    http: crate::router::Shared,
}

impl Host {
    /// `handlers` makes them anew for each start of the worker. It takes from `queues`, up to so many tasks at once
    /// from each (1 to 1000).
    pub fn new(
        tasks: Service,
        queues: &[(&str, u16)],
        handlers: impl Fn() -> Handlers + Send + Sync + 'static,
    ) -> Self {
        Self::with_open(tasks, queues, handlers, &[])
    }

    /// As [`Host::new`]; others may create tasks with the names in `open`, though a handler of the program does them.
    pub fn with_open(
        tasks: Service,
        queues: &[(&str, u16)],
        handlers: impl Fn() -> Handlers + Send + Sync + 'static,
        open: &[&str],
    ) -> Self {
        let names = handlers().names();
        let module = |name: &String| name.split(SEPARATORS).next().map(str::to_owned);
        let closed = names.iter().filter(|name| !open.contains(&name.as_str()));
        Self(Arc::new(Inner {
            tasks,
            own: closed.filter_map(module).collect(),
            handlers: Box::new(handlers),
            queues: queues
                .iter()
                .map(|(name, slots)| ((*name).to_owned(), *slots))
                .collect(),
            open: open.iter().map(|name| (*name).to_owned()).collect(),
            works: watch::Sender::new(false),
            stopping: CancellationToken::new(),
            #[cfg(feature = "router")]
            http: crate::router::Shared::default(),
        }))
    }

    /// The service itself.
    pub fn tasks(&self) -> &Service {
        &self.0.tasks
    }

    /// Background work: `tasks.work` runs what the handlers can do, `tasks.keep` keeps the queue in order where no
    /// `tasks.work` of this process does.
    pub fn workers(&self) -> Vec<Supervised> {
        let (work, keep) = (self.clone(), self.clone());
        vec![
            Supervised {
                name: "tasks.work",
                runs: Runs::InWorkers,
                start: Arc::new(move |stop| ended(work.clone().work_until(stop))),
            },
            Supervised {
                name: "tasks.keep",
                runs: Runs::Everywhere,
                start: Arc::new(move |stop| ended(keep.clone().keep_until(stop))),
            },
        ]
    }

    /// Whether a name or a queue is the program's own.
    pub fn owns(&self, word: &str) -> bool {
        let of = |module: &String| {
            word.strip_prefix(module.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(SEPARATORS))
        };
        let open = self.0.open.iter().any(|name| name == word);
        !open && (word.starts_with('_') || self.0.own.iter().any(of))
    }

    #[cfg(feature = "router")]
    /// Cancelled when the program was told to stop: nobody waits any longer.
    pub(crate) fn stopping(&self) -> &CancellationToken {
        &self.0.stopping
    }

    #[cfg(feature = "router")]
    pub(crate) fn http(&self) -> &crate::router::Shared {
        &self.0.http
    }

    async fn work_until(self, stop: CancellationToken) -> Result<(), BoxError> {
        // Lowered however this ends.
        let works = Flag::raise(&self.0.works);
        let handlers = (self.0.handlers)();
        let worker = self.0.queues.iter().fold(
            Worker::new(self.0.tasks.clone(), handlers),
            |worker, (queue, slots)| worker.queue(queue, *slots),
        );
        let ended = worker.run_until(stop).await;
        drop(works);
        Ok(ended?)
    }

    async fn keep_until(self, stop: CancellationToken) -> Result<(), BoxError> {
        tokio::join!(self.keep_turns(&stop), async {
            stop.cancelled().await;
            self.0.stopping.cancel();
        });
        Ok(())
    }

    async fn keep_turns(&self, stop: &CancellationToken) {
        let mut works = self.0.works.subscribe();
        while !stop.is_cancelled() {
            let turn = stop.child_token();
            tokio::join!(self.0.tasks.maintain_until(turn.clone()), async {
                until(&mut works, true, stop).await;
                turn.cancel();
                until(&mut works, false, stop).await;
            });
        }
    }
}

/// Until a worker of this process works, or none does.
async fn until(works: &mut watch::Receiver<bool>, working: bool, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        // Its sender lives as long as the host.
        _ = works.wait_for(|works| *works == working) => {}
    }
}

const SEPARATORS: [char; 4] = ['.', '_', ':', '-'];

fn ended(
    work: impl Future<Output = Result<(), BoxError>> + Send + 'static,
) -> BoxFuture<'static, Result<(), BoxError>> {
    Box::pin(work)
}

/// Up while it lives.
struct Flag<'a>(&'a watch::Sender<bool>);

impl<'a> Flag<'a> {
    fn raise(flag: &'a watch::Sender<bool>) -> Self {
        flag.send_replace(true);
        Self(flag)
    }
}

impl Drop for Flag<'_> {
    fn drop(&mut self) {
        self.0.send_replace(false);
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Host")
            .field("queues", &self.0.queues)
            .field("own", &self.0.own)
            .finish_non_exhaustive()
    }
}
