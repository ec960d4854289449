use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;

use crate::{Error, QueueLoad, Service};

/// How old an answer may be: it counts every waiting task.
const FRESH: Duration = Duration::from_secs(15);

type Counted = Arc<BTreeMap<String, QueueLoad>>;

/// What each queue has to do, counted now and then.
#[derive(Default)]
pub(crate) struct Loads(Mutex<Option<(Duration, Counted)>>);

impl Loads {
    pub(crate) async fn get(&self, tasks: &Service) -> Result<Counted, Error> {
        // Held while it counts: those who ask meanwhile take the same answer.
        let mut known = self.0.lock().await;
        let now = tasks.clock().monotonic();
        if let Some((at, loads)) = &*known
            && now.saturating_sub(*at) < FRESH
        {
            return Ok(loads.clone());
        }
        let loads = Arc::new(tasks.queue_loads().await?);
        *known = Some((now, loads.clone()));
        Ok(loads)
    }
}
