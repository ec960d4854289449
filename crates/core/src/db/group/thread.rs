use std::sync::{Arc, OnceLock};

use tokio::runtime::Handle;
use tokio::sync::Notify;

/// A thread with a runtime of its own, from its first task until this value goes away.
#[derive(Default)]
pub(in crate::db) struct Thread(OnceLock<Option<Started>>);

struct Started {
    runtime: Handle,
    stop: Arc<Notify>,
}

impl Thread {
    /// Runs it there; on the caller's runtime where the system gives no thread.
    pub(super) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match self.0.get_or_init(Started::new) {
            Some(started) => drop(started.runtime.spawn(task)),
            None => drop(tokio::spawn(task)),
        }
    }
}

impl Started {
    fn new() -> Option<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.ok()?;
        let stop = Arc::new(Notify::new());
        let started = Self {
            runtime: runtime.handle().clone(),
            stop: stop.clone(),
        };
        let thread = std::thread::Builder::new().name("cgcg-writer".to_owned());
        thread
            .spawn(move || runtime.block_on(stop.notified()))
            .ok()?;
        Some(started)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.stop.notify_one();
    }
}
