use cgcg_core::{Clock, TaskState};
use cgcg_tasks::{Cancelled, Error, Service, TaskId};
use serde_json::{Value, json};

use super::look::lines;
use super::pick::pick;
use super::table;
use crate::Failure;
use crate::cli::Many;
use crate::console::say;

/// What is done to tasks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Verb {
    Cancel,
    Retry,
    Delete,
}

impl Verb {
    /// Of those that fit, which it is meant for. What failed is what people run again; the rest they name.
    const fn may(self, state: TaskState, named: bool) -> bool {
        match self {
            Self::Cancel => !state.ended(),
            Self::Retry if named => matches!(
                state,
                TaskState::Failed | TaskState::Cancelled | TaskState::Scheduled
            ),
            Self::Retry => matches!(state, TaskState::Failed),
            Self::Delete => state.ended(),
        }
    }

    const fn done(self) -> &'static str {
        match self {
            Self::Cancel => "cancelled",
            Self::Retry => "ready again",
            Self::Delete => "deleted",
        }
    }

    async fn act(self, tasks: &Service, id: TaskId) -> Result<&'static str, Error> {
        match self {
            Self::Cancel => Ok(match tasks.cancel(id).await? {
                Cancelled::AtOnce => self.done(),
                Cancelled::Asked => "asked to end",
            }),
            Self::Retry => tasks.retry(id).await.map(|()| self.done()),
            Self::Delete => tasks.delete(id).await.map(|()| self.done()),
        }
    }
}

/// Acts on the tasks that are named, or on all that fit once somebody says yes to their number.
pub(super) async fn run(
    tasks: &Service,
    clock: &dyn Clock,
    verb: Verb,
    many: Many,
) -> Result<(), Failure> {
    let json = many.json;
    let ids = match many.ids.is_empty() {
        false => many.ids,
        true if many.pick.is_all() => {
            return Err("say which: ids, or one of --state, --queue, --name, --since".into());
        }
        true => {
            let named = many.pick.state.is_some();
            let may = |state| verb.may(state, named);
            let limit = many.limit.unwrap_or(usize::MAX);
            let found = pick(tasks, clock, many.pick, limit, may).await?;
            if many.dry_run {
                return lines(&found, json);
            }
            if !json {
                say(format!("{} tasks fit", found.len()));
            }
            if !many.yes && !found.is_empty() {
                return Err(
                    "nothing was done; add --yes to go on, or --dry-run to see them".into(),
                );
            }
            found.into_iter().map(|task| task.id).collect()
        }
    };
    each(tasks, verb, &ids, json).await
}

async fn each(tasks: &Service, verb: Verb, ids: &[TaskId], json: bool) -> Result<(), Failure> {
    if let ([id], false) = (ids, json) {
        say(format!("{id}  {}", verb.act(tasks, *id).await?));
        return Ok(());
    }
    let (mut outcomes, mut refused) = (Vec::<Value>::new(), 0);
    for id in ids {
        let outcome = verb.act(tasks, *id).await;
        refused += usize::from(outcome.is_err());
        match &outcome {
            _ if json => outcomes.push(json!({
                "id": id,
                "ok": outcome.is_ok(),
                "error": outcome.err().map(|error| error.to_string()),
            })),
            Ok(done) => say(format!("{id}  {done}")),
            Err(error) => say(format!("{id}  {error}")),
        }
    }
    if json {
        table::json(&outcomes)?;
    }
    match refused {
        0 => Ok(()),
        refused => Err(format!("{refused} of {} tasks stay as they are", ids.len()).into()),
    }
}
