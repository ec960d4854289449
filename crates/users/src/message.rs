use cgcg_core::{Conn, NewMessage, Publisher, SeamError, TopicSpec};
use serde_json::json;

use crate::UserId;

pub(crate) const CREATED: &str = "users.created";
pub(crate) const UPDATED: &str = "users.updated";
pub(crate) const DISABLED: &str = "users.disabled";
pub(crate) const ENABLED: &str = "users.enabled";
pub(crate) const DELETED: &str = "users.deleted";

/// What this feature publishes: `users.created`, `.updated`, `.disabled`, `.enabled` and `.deleted`.
pub const TOPICS: &[TopicSpec] = &[TopicSpec {
    filter: "users.*",
    read_scope: Some("users:read"),
    publish_scope: None,
    schema: Some(
        r#"{"type":"object","properties":{"user_id":{"type":"string","format":"uuid"}},"required":["user_id"],"additionalProperties":false}"#,
    ),
    about: "An account was created, updated, disabled, enabled or deleted.",
}];

/// Says so in the transaction of the change: it carries the id only, whoever may know more reads the account.
pub(crate) async fn publish(
    publisher: &dyn Publisher,
    conn: &mut Conn,
    topic: &'static str,
    id: UserId,
) -> Result<(), SeamError> {
    let name = id.to_string();
    let message = NewMessage {
        topic: topic.into(),
        payload: json!({ "user_id": id }),
        id: None,
        key: Some(name.clone()),
        subject: Some(name),
    };
    publisher.publish_in(conn, vec![message]).await
}
