use std::borrow::Cow;

use serde_json::Value;

use crate::{BoxFuture, Conn, SeamError};

/// Tells others what happened. Filled by messages; without it, by [`NoPublisher`].
pub trait Publisher: Send + Sync + 'static {
    /// Stores one message under `topic`; durable when this returns.
    fn publish_message<'a>(
        &'a self,
        topic: &'a str,
        payload: Value,
    ) -> BoxFuture<'a, Result<(), SeamError>>;

    /// Stores messages in the caller's transaction: they exist if it commits.
    fn publish_in<'a>(
        &'a self,
        conn: &'a mut Conn,
        messages: Vec<NewMessage>,
    ) -> BoxFuture<'a, Result<(), SeamError>>;
}

/// A message that is not yet stored.
#[derive(Debug, Clone, PartialEq)]
pub struct NewMessage {
    /// Words joined by dots: `users.created`.
    pub topic: Cow<'static, str>,
    /// Any JSON.
    pub payload: Value,
    /// Stored once per id.
    pub id: Option<String>,
    /// Messages of one key keep their order.
    pub key: Option<String>,
    /// Whom it is about.
    pub subject: Option<String>,
}

/// Stands in where messages are not in the build: an absent feature is never the caller's failure.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoPublisher;

impl Publisher for NoPublisher {
    fn publish_message<'a>(
        &'a self,
        topic: &'a str,
        _payload: Value,
    ) -> BoxFuture<'a, Result<(), SeamError>> {
        tracing::debug!(topic, "message dropped: messages are not in this build");
        Box::pin(async { Ok(()) })
    }

    fn publish_in<'a>(
        &'a self,
        _conn: &'a mut Conn,
        messages: Vec<NewMessage>,
    ) -> BoxFuture<'a, Result<(), SeamError>> {
        tracing::debug!(
            messages = messages.len(),
            "messages dropped: messages are not in this build"
        );
        Box::pin(async { Ok(()) })
    }
}
