use tracing::Span;

use crate::store::claim::Claimed;

/// Around what a handler does. Never the payload.
pub(super) fn span(task: &Claimed) -> Span {
    tracing::error_span!(
        "task",
        task.id = %task.id,
        task.name,
        task.attempt,
        task.lease,
        traceparent = task.trace,
        task.outcome = tracing::field::Empty,
    )
}
