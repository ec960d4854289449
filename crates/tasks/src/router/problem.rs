use std::time::Duration;

use actix_web::http::StatusCode;
use cgcg_core::TaskState;
use cgcg_web::Problem;
use serde_json::json;

use crate::Error;

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let detail = error.to_string();
        match error {
            Error::NotFound => Self::not_found("task_not_found", detail),
            Error::Finished(state) => finished(state, detail),
            Error::Running => Self::conflict("task_running", detail),
            Error::NotFinished => Self::conflict("task_not_finished", detail),
            Error::NotRetryable => Self::conflict("task_not_retryable", detail),
            Error::UniqueKeyTaken { existing } => {
                let taken = Self::conflict("unique_key_taken", detail);
                taken.with("existing_id", json!(existing))
            }
            Error::ScheduleTaken => Self::conflict("schedule_taken", detail),
            Error::Invalid { field, invalid } => Self::invalid(on_wire(field), &invalid),
            Error::NameReserved => Self::forbidden("name_reserved", detail),
            Error::QueueNotAllowed => Self::forbidden("queue_not_allowed", detail),
            Error::TooLarge { .. } => too_large("payload_too_large", detail),
            Error::BatchTooLarge { .. } => too_large("batch_too_large", detail),
            Error::IdempotencyKeyInvalid => {
                Self::new(StatusCode::BAD_REQUEST, "idempotency_key_invalid", detail)
            }
            Error::IdempotencyKeyReused => {
                let status = StatusCode::UNPROCESSABLE_ENTITY;
                Self::new(status, "idempotency_key_reused", detail)
            }
            Error::Changed => {
                Self::new(StatusCode::PRECONDITION_FAILED, "version_mismatch", detail)
            }
            Error::TooManyWaiters => too_many("too_many_waiters", detail),
            Error::TooManyStreams => too_many("too_many_streams", detail),
            Error::Database(error) | Error::Unknown(error) => Self::database(error),
            error => Self::internal(error),
        }
    }
}

fn finished(state: TaskState, detail: String) -> Problem {
    Problem::conflict("task_finished", detail).with("state", json!(state))
}

fn too_large(code: &'static str, detail: String) -> Problem {
    Problem::new(StatusCode::PAYLOAD_TOO_LARGE, code, detail)
}

fn too_many(code: &'static str, detail: String) -> Problem {
    let status = StatusCode::TOO_MANY_REQUESTS;
    Problem::new(status, code, detail).retry_after(Duration::from_secs(1))
}

/// Where the field is one of the query.
pub(super) fn in_query(error: Error) -> Problem {
    match error {
        Error::Invalid { field, invalid } => Problem::invalid_in("query", field, &invalid),
        error => error.into(),
    }
}

/// 404: there is no such schedule.
pub(super) fn no_schedule(error: Error) -> Problem {
    match error {
        Error::NotFound => Problem::not_found("schedule_not_found", "no such schedule"),
        error => error.into(),
    }
}

/// Durations have their unit in their name there.
pub(super) const fn on_wire(field: &'static str) -> &'static str {
    match field.as_bytes() {
        b"delay" => "delay_s",
        b"timeout" => "timeout_s",
        b"unique_for" => "unique_for_s",
        _ => field,
    }
}
