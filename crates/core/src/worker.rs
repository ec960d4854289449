use std::fmt;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::{BoxError, BoxFuture};

/// Background work of a feature. It can be started again: the host supervises it.
#[derive(Clone)]
pub struct Worker {
    /// In logs and metrics: `auth.sweep`.
    pub name: &'static str,
    /// In which processes it runs.
    pub runs: Runs,
    /// Starts it; it ends soon after the token is cancelled.
    pub start:
        Arc<dyn Fn(CancellationToken) -> BoxFuture<'static, Result<(), BoxError>> + Send + Sync>,
}

/// In which processes a [`Worker`] runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Runs {
    /// In each.
    Everywhere,
    /// Only in the roles `worker` and `all`.
    InWorkers,
}

impl fmt::Debug for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Worker")
            .field("name", &self.name)
            .field("runs", &self.runs)
            .finish_non_exhaustive()
    }
}
