use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use cgcg_core::{Conn, NewMessage, Publisher, SeamError, TopicSpec};
use serde_json::json;
use tracing::error;

use crate::schemas::state;
use crate::settings::Announce;
use crate::store::announce::{Ended, ended};
use crate::{TaskId, TaskState};

const FAILED: &str = "tasks.failed";
const FINISHED: &str = "tasks.finished";

const SCHEMA: &str = r#"{"type":"object","properties":{"task_id":{"type":"string","format":"uuid"},"name":{"type":"string"},"queue":{"type":"string"},"state":{"enum":["succeeded","failed","cancelled"]},"attempt":{"type":"integer"},"code":{"type":["string","null"]}},"required":["task_id","name","queue","state","attempt","code"],"additionalProperties":false}"#;

/// What this feature publishes. Never the payload, the result, or what a handler told: whoever may know more reads the
/// task.
pub static TOPICS: &[TopicSpec] = &[
    topic(
        FAILED,
        "A task failed for good; `code` is that of its last error. Not with `tasks.announce = \"none\"`.",
    ),
    topic(
        FINISHED,
        "A task ended, however. With `tasks.announce = \"all\"` alone.",
    ),
];

const fn topic(filter: &'static str, about: &'static str) -> TopicSpec {
    TopicSpec {
        filter,
        read_scope: Some("tasks:admin"),
        publish_scope: None,
        schema: Some(SCHEMA),
        about,
    }
}

/// Says which tasks ended, in the transaction in which they do.
#[derive(Clone)]
pub(crate) struct Announcer {
    /// `None`: there is nobody to tell.
    publisher: Option<Arc<dyn Publisher>>,
    what: Announce,
}

impl Announcer {
    pub(crate) fn new(publisher: Option<Arc<dyn Publisher>>, what: Announce) -> Self {
        Self { publisher, what }
    }

    /// Whether the end of a task may take more than its own statement.
    pub(crate) fn tells_anybody(&self) -> bool {
        self.publisher.is_some() && self.what != Announce::None
    }

    /// As [`Announcer::tells_anybody`], of a success.
    pub(crate) fn tells_success(&self) -> bool {
        self.publisher.is_some() && self.what == Announce::All
    }

    /// Of tasks that came into these states. A message that is refused keeps no task from ending.
    pub(crate) async fn ended(
        &self,
        conn: &mut Conn,
        moved: impl Iterator<Item = (TaskId, i16)>,
    ) -> sqlx::Result<()> {
        let told = moved.filter(|(_, state)| self.tells(*state));
        let ids: Vec<TaskId> = told.map(|(id, _)| id).collect();
        let Some(publisher) = self.publisher.as_ref().filter(|_| !ids.is_empty()) else {
            return Ok(());
        };
        let ended = ended(conn, &ids).await?;
        let messages = ended.iter().flat_map(|task| self.messages(task)).collect();
        match publisher.publish_in(conn, messages).await {
            Ok(()) => Ok(()),
            Err(SeamError::Database(error)) => Err(error),
            Err(error @ (SeamError::Unavailable(_) | SeamError::Unknown(_))) => {
                Err(sqlx::Error::Protocol(error.to_string()))
            }
            Err(error @ (SeamError::Refused { .. } | SeamError::OtherDatabase)) => {
                error!(%error, tasks = ids.len(), "tasks end without a message");
                Ok(())
            }
        }
    }

    fn tells(&self, number: i16) -> bool {
        match self.what {
            Announce::None => false,
            Announce::Failed => state(number) == TaskState::Failed,
            Announce::All => state(number).ended(),
        }
    }

    fn messages(&self, task: &Ended) -> impl Iterator<Item = NewMessage> {
        let failed = (state(task.state) == TaskState::Failed).then_some(FAILED);
        let finished = (self.what == Announce::All).then_some(FINISHED);
        let (message, topics) = (message(task), failed.into_iter().chain(finished));
        topics.map(move |topic| NewMessage {
            topic: Cow::Borrowed(topic),
            ..message.clone()
        })
    }
}

fn message(task: &Ended) -> NewMessage {
    let state = state(task.state);
    NewMessage {
        topic: Cow::Borrowed(FINISHED),
        payload: json!({
            "task_id": task.id,
            "name": task.name,
            "queue": task.queue,
            "state": state,
            "attempt": task.attempt,
            "code": task.code.as_ref().filter(|_| state == TaskState::Failed),
        }),
        id: None,
        key: Some(task.id.to_string()),
        subject: Some(task.owner.clone()).filter(|owner| !owner.is_empty()),
    }
}

impl fmt::Debug for Announcer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Announcer")
            .field("what", &self.what)
            .finish_non_exhaustive()
    }
}
