use std::borrow::Cow;

use cgcg_core::{Id, NewMessage, Session, TopicSpec, User};
use serde_json::json;
use uuid::Uuid;

const SESSION_CREATED: &str = "auth.session.created";
const SESSION_REVOKED: &str = "auth.session.revoked";
const GRANT_CHANGED: &str = "auth.grant.changed";
const PASSWORD_CHANGED: &str = "auth.password.changed";
const REFRESH_REUSED: &str = "auth.refresh.reused";

/// What this feature publishes: ids only.
pub static TOPICS: &[TopicSpec] = &[
    topic(SESSION_CREATED, "Somebody logged in."),
    topic(SESSION_REVOKED, "A session was ended before its time."),
    topic(PASSWORD_CHANGED, "Somebody has a new password."),
    topic(
        GRANT_CHANGED,
        "An account or a service account got or lost a role.",
    ),
    topic(
        REFRESH_REUSED,
        "A refresh token was used a second time; its session is over.",
    ),
];

const fn topic(filter: &'static str, about: &'static str) -> TopicSpec {
    TopicSpec {
        filter,
        read_scope: None,
        publish_scope: None,
        schema: None,
        about,
    }
}

pub(crate) fn session_created(user: Id<User>, session: Id<Session>) -> NewMessage {
    message(
        SESSION_CREATED,
        user,
        json!({"user_id": user, "session_id": session}),
    )
}

pub(crate) fn session_revoked(user: Id<User>, session: Id<Session>, reason: &str) -> NewMessage {
    message(
        SESSION_REVOKED,
        user,
        json!({"user_id": user, "session_id": session, "reason": reason}),
    )
}

/// `subject`: a user or a service account.
pub(crate) fn grant_changed(subject: Uuid) -> NewMessage {
    let user = Id::from_uuid(subject);
    message(GRANT_CHANGED, user, json!({ "subject_id": subject }))
}

pub(crate) fn password_changed(user: Id<User>) -> NewMessage {
    message(PASSWORD_CHANGED, user, json!({"user_id": user}))
}

pub(crate) fn refresh_reused(user: Id<User>, session: Id<Session>) -> NewMessage {
    message(
        REFRESH_REUSED,
        user,
        json!({"user_id": user, "session_id": session}),
    )
}

fn message(topic: &'static str, user: Id<User>, payload: serde_json::Value) -> NewMessage {
    let user = user.to_string();
    NewMessage {
        topic: Cow::Borrowed(topic),
        payload,
        id: None,
        key: Some(user.clone()),
        subject: Some(user),
    }
}
