use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use cgcg_core::Health;

use super::Service;

/// A loop that should have turned so long ago is stuck.
const STUCK: Duration = Duration::from_secs(60);
/// A database that does not answer within this does not answer.
const ANSWER: Duration = Duration::from_secs(5);

/// When each loop of this process turns next, on the monotonic clock.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<BTreeMap<&'static str, Duration>>);

impl Turns {
    fn set(&self, name: &'static str, next: Duration) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.insert(name, next);
    }

    fn end(&self, name: &'static str) {
        let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        turns.remove(name);
    }

    /// Those that should have turned, and how long ago.
    fn late(&self, now: Duration) -> Vec<(&'static str, Duration)> {
        let turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let late = turns
            .iter()
            .map(|(name, next)| (*name, now.saturating_sub(*next)));
        late.filter(|(_, late)| *late >= STUCK).collect()
    }
}

impl Service {
    /// This loop turns again within `pause`.
    pub(crate) fn turns(&self, name: &'static str, pause: Duration) {
        self.0.turns.set(name, self.clock().monotonic() + pause);
    }

    /// This loop has ended in order.
    pub(crate) fn turns_no_more(&self, name: &'static str) {
        self.0.turns.end(name);
    }

    /// Whether work can be stored, and what keeps it going in this process goes on.
    pub async fn health(&self) -> Health {
        match tokio::time::timeout(ANSWER, self.db().ping()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return Health::Failed(format!("the database of tasks: {error}")),
            Err(_) => return Health::Failed("the database of tasks does not answer".to_owned()),
        }
        let late = self.0.turns.late(self.clock().monotonic());
        let texts = late
            .iter()
            .map(|(name, late)| format!("{name} should have happened {} s ago", late.as_secs()));
        match texts.collect::<Vec<_>>().join("; ") {
            text if text.is_empty() => Health::Good,
            text => Health::Degraded(text),
        }
    }
}
