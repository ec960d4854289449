//! What a worker says about tasks that it has.

use std::collections::{HashMap, HashSet};

use serde::Serialize;
use utoipa::ToSchema;

use crate::store::lease::Fence;
use crate::store::remote::{self, Run};
use crate::{Error, Host, TaskId};

/// Items of one call, at most.
const MOST: usize = 1_000;

/// What became of each item, in the order asked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeaseOutcomes)]
pub(in crate::router) struct Outcomes {
    pub(super) items: Vec<Outcome>,
}

/// What became of one item.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LeaseOutcome)]
pub(in crate::router) struct Outcome {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    pub(super) id: TaskId,
    /// Whether it was done.
    pub(super) ok: bool,
    /// In answers to heartbeats: somebody wants the task to end. Stop, and release or fail it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cancel: Option<bool>,
    /// Why it was not done. `lease_lost`: another execution may run, so stop, and throw the result away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) code: Option<&'static str>,
}

impl Outcome {
    pub(super) const fn done(id: TaskId) -> Self {
        Self {
            id,
            ok: true,
            cancel: None,
            code: None,
        }
    }

    pub(super) const fn refused(id: TaskId, code: &'static str) -> Self {
        Self {
            id,
            ok: false,
            cancel: None,
            code: Some(code),
        }
    }

    pub(super) const fn held(id: TaskId, held: bool) -> Self {
        match held {
            true => Self::done(id),
            false => Self::refused(id, LOST),
        }
    }
}

pub(super) const LOST: &str = "lease_lost";

/// A task that a worker says it has.
pub(super) trait Claimed {
    fn id(&self) -> TaskId;
    fn lease(&self) -> i64;
}

/// For each item its row, where this worker has that lease; `None` where it is lost.
pub(super) async fn runs(
    host: &Host,
    worker: &str,
    items: &[impl Claimed],
) -> Result<Vec<Option<Run>>, Error> {
    if items.len() > MOST {
        return Err(Error::BatchTooLarge { limit: MOST });
    }
    let ids: Vec<TaskId> = items.iter().map(Claimed::id).collect();
    let mut conn = host.tasks().db().read().await?;
    let runs = remote::runs(&mut conn, &ids).await?;
    let runs: HashMap<TaskId, Run> = runs.into_iter().map(|run| (run.id, run)).collect();
    // One that is twice there counts once: two writes of one lease would be one.
    let mut seen = HashSet::new();
    let run = |item: &_| {
        let run = runs.get(&Claimed::id(item))?;
        let mine = run.lease == Claimed::lease(item) && run.worker.as_deref() == Some(worker);
        (mine && seen.insert(run.seq)).then(|| run.clone())
    };
    Ok(items.iter().map(run).collect())
}

impl Run {
    pub(super) const fn fence(&self) -> Fence {
        Fence {
            id: self.id,
            seq: self.seq,
            lease: self.lease,
        }
    }
}

/// Whether PostgreSQL can store it: the character NUL it cannot, not even escaped.
pub(super) fn storable(value: &serde_json::Value) -> bool {
    use serde_json::Value;
    match value {
        Value::String(text) => !text.contains('\0'),
        Value::Array(items) => items.iter().all(storable),
        Value::Object(map) => map
            .iter()
            .all(|(key, value)| !key.contains('\0') && storable(value)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
