use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use cgcg_tasks::{Handlers, Name, Payload, QueueName, Service, TaskCreate, Worker};
use tokio_util::sync::CancellationToken;

/// Bytes of a payload.
pub(crate) const PAYLOAD: usize = 200;
const SLOTS: u16 = 1_000;

/// What no worker takes waits in the queue `idle`, in nobody's way.
pub(crate) fn task(queue: &'static str, name: &'static str) -> TaskCreate {
    let payload = Payload::of(&"x".repeat(PAYLOAD)).expect("a text");
    let name = Name::parse(name).expect("a name");
    TaskCreate {
        queue: QueueName::parse(queue).ok(),
        ..TaskCreate::new(name, payload)
    }
}

/// A worker of this process.
pub(crate) struct Work {
    stop: CancellationToken,
    end: tokio::task::JoinHandle<()>,
}

impl Work {
    pub(crate) fn start(tasks: &Service, queue: &str, handlers: Handlers) -> Self {
        let stop = CancellationToken::new();
        let worker = Worker::new(tasks.clone(), handlers).queue(queue, SLOTS);
        let until = stop.clone();
        let end = tokio::spawn(async move { worker.run_until(until).await.expect("a worker") });
        Self { stop, end }
    }

    /// One that counts `tasks` tasks called `count`; meanwhile those called `stay` do not end.
    pub(crate) fn count(service: &Service, queue: &str, tasks: usize) -> (Self, Arc<Countdown>) {
        let done = Arc::new(Countdown::new(tasks));
        let (counted, all) = (done.clone(), done.clone());
        let count = move |_, _| {
            counted.one();
            async { Ok(None) }
        };
        let stay = move |_, _| {
            let all = all.clone();
            async move {
                all.wait().await;
                Ok(None)
            }
        };
        let handlers = Handlers::new()
            .on_name("count", count)
            .on_name("stay", stay);
        (Self::start(service, queue, handlers), done)
    }

    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.end.await.expect("no panic");
    }
}

/// Until so many are done.
pub(crate) struct Countdown {
    left: AtomicUsize,
    none: CancellationToken,
}

impl Countdown {
    fn new(left: usize) -> Self {
        Self {
            left: left.into(),
            none: CancellationToken::new(),
        }
    }

    fn one(&self) {
        if self.left.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.none.cancel();
        }
    }

    pub(crate) async fn wait(&self) {
        self.none.cancelled().await;
    }
}
