use std::sync::{Arc, OnceLock, mpsc};

use tokio::runtime::Handle;
use tokio::sync::Notify;

/// A database's own thread and runtime, from the first use until this value goes away. What writes for many, and the
/// connections to PostgreSQL, live there: a caller's runtime may be blocked, or end before those of others.
#[derive(Default)]
pub(super) struct Thread(OnceLock<Runtime>);

struct Runtime {
    handle: Handle,
    /// `None` where it is the caller's.
    stop: Option<Arc<Notify>>,
}

impl Thread {
    /// None of its own: that of the caller.
    #[cfg(feature = "postgres")]
    pub(super) fn here() -> Self {
        Self(Runtime::here().into())
    }

    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        drop(self.runtime().handle.spawn(task));
    }

    /// What `future` opens belongs to this runtime, whoever waits for it.
    #[cfg(feature = "postgres")]
    pub(super) async fn host<T>(&self, future: impl Future<Output = T>) -> T {
        let handle = self.runtime().handle.clone();
        tokio_util::context::TokioContext::new(future, handle).await
    }

    fn runtime(&self) -> &Runtime {
        self.0
            .get_or_init(|| Runtime::start().unwrap_or_else(Runtime::here))
    }
}

impl Runtime {
    fn here() -> Self {
        Self {
            handle: Handle::current(),
            stop: None,
        }
    }

    /// `None` where the system gives no thread.
    fn start() -> Option<Self> {
        let stop = Arc::new(Notify::new());
        let until = stop.clone();
        let (sender, started) = mpsc::channel();
        let thread = std::thread::Builder::new().name("cgcg-db".to_owned());
        let run = move || {
            let mut runtime = tokio::runtime::Builder::new_current_thread();
            if let Ok(runtime) = runtime.enable_all().build() {
                // Whoever starts it waits for this.
                let _ = sender.send(runtime.handle().clone());
                runtime.block_on(until.notified());
            }
        };
        thread.spawn(run).ok()?;
        Some(Self {
            handle: started.recv().ok()?,
            stop: Some(stop),
        })
    }
}

impl Drop for Runtime {
    fn drop(&mut self) {
        if let Some(stop) = &self.stop {
            stop.notify_one();
        }
    }
}
