//! What a worker says again, because the answer got lost.

use std::collections::HashMap;

use super::runs::{Claimed, LOST, Outcome};
use crate::store::remote;
use crate::{Error, Host, TaskId, TaskState};

/// The lease of each item, and the states in which it may have ended a task.
pub(super) struct Said {
    leases: Vec<(TaskId, i64)>,
    ends: &'static [TaskState],
}

impl Said {
    pub(super) fn new(items: &[impl Claimed], ends: &'static [TaskState]) -> Self {
        let leases = items.iter().map(|item| (item.id(), item.lease())).collect();
        Self { leases, ends }
    }

    /// Whose lease is lost because this worker itself ended the task under it, in the way it says now, is told so: the
    /// first result stands. It looks only where something is lost.
    pub(super) async fn again(
        self,
        host: &Host,
        worker: &str,
        mut outcomes: Vec<Outcome>,
    ) -> Result<Vec<Outcome>, Error> {
        let lost = |outcome: &&Outcome| outcome.code == Some(LOST);
        let ids: Vec<TaskId> = outcomes.iter().filter(lost).map(|lost| lost.id).collect();
        if ids.is_empty() {
            return Ok(outcomes);
        }
        let mut conn = host.tasks().db().read().await?;
        let ended = remote::ended(&mut conn, worker, &ids).await?;
        let ended: HashMap<TaskId, remote::Ended> =
            ended.into_iter().map(|task| (task.id, task)).collect();
        for (outcome, (id, lease)) in outcomes.iter_mut().zip(self.leases) {
            let ended = ended.get(&id).filter(|ended| {
                ended.lease == lease && self.ends.contains(&crate::schemas::state(ended.state))
            });
            if outcome.code == Some(LOST) && ended.is_some() {
                *outcome = Outcome::done(id);
            }
        }
        Ok(outcomes)
    }
}
