use std::convert::Infallible;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use cgcg_core::Principal;
use cgcg_web::{Front, Path, Problem, RequireScope};
use futures_util::stream::unfold;

use super::shapes::Task;
use super::shared::Stream;
use super::{owner, reach};
use crate::scopes::Read;
use crate::{Error, Host, TaskId, TaskStatus};

/// Between two looks: progress comes no faster.
const LOOK: Duration = Duration::from_millis(250);
/// Between two signs of life where nothing happens.
const ALIVE: Duration = Duration::from_secs(15);
/// Between two looks at whether the caller still stands.
const CHECK: Duration = Duration::from_secs(30);
/// The longest that a stream stays open.
const LONGEST: Duration = Duration::from_secs(3_600);

/// Watch a task: server-sent events.
///
/// First `status`, with the task as `GET` shows it; then `progress` whenever there is new progress, `status` whenever
/// the state changes or somebody asks it to end; at last `end`, with the task, and the stream closes. One that has ended
/// gives `end` alone. Whoever comes again gets the state of then.
/// A stream ends after an hour, and with the caller's session or key.
#[utoipa::path(
    get,
    path = "/api/v1/tasks/{id}/events",
    tag = "tasks",
    params(("id" = inline(TaskId), Path)),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = 404, description = "`task_not_found`"),
        (status = 429, description = "`too_many_streams`"),
    ),
    security(("oauth2" = ["tasks:read"]))
)]
pub(super) async fn watch_task(
    host: Data<Host>,
    front: Data<Front>,
    caller: RequireScope<Read>,
    id: Path<TaskId>,
) -> Result<HttpResponse, Problem> {
    reach(&host, &caller, id.0).await?;
    let status = host.tasks().get_task_status(id.0).await?;
    let status = status.ok_or(Error::NotFound)?;
    let place = host.http().stream(&owner(&caller))?;
    let watch = Watch::new(&host, &front, (*caller).clone(), status, place);
    let events = unfold(Some(watch), |watch| async {
        let (text, watch) = watch?.next().await?;
        Some((Ok::<_, Infallible>(Bytes::from(text)), watch))
    });
    Ok(HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/event-stream"))
        // nginx holds answers back otherwise.
        .insert_header(("x-accel-buffering", "no"))
        .streaming(events))
}

/// One open stream.
struct Watch {
    host: Host,
    front: Front,
    caller: Principal,
    /// What the client knows.
    told: Option<TaskStatus>,
    /// What is to be told first.
    first: TaskStatus,
    opened_at: Duration,
    spoken_at: Duration,
    checked_at: Duration,
    _place: Stream,
}

impl Watch {
    fn new(
        host: &Host,
        front: &Front,
        caller: Principal,
        first: TaskStatus,
        place: Stream,
    ) -> Self {
        let now = host.tasks().clock().monotonic();
        Self {
            host: host.clone(),
            front: front.clone(),
            caller,
            told: None,
            first,
            opened_at: now,
            spoken_at: now,
            checked_at: now,
            _place: place,
        }
    }

    /// The next event, and the stream after it; `None` where it is over.
    async fn next(mut self) -> Option<(String, Option<Self>)> {
        let Some(told) = self.told.clone() else {
            let first = self.first.clone();
            return Some(self.tell(first, "status"));
        };
        loop {
            let status = tokio::select! {
                () = self.host.stopping().cancelled() => return None,
                status = self.host.tasks().wait(told.id, LOOK) => status,
            };
            let now = self.host.tasks().clock().monotonic();
            if !self.stands(now).await {
                return None;
            }
            match status {
                Ok(status) if differs(&status, &told) => return Some(self.tell(status, "status")),
                Ok(status) if status.progress != told.progress => {
                    return Some(self.tell(status, "progress"));
                }
                Ok(_) if now < self.spoken_at + ALIVE => {}
                // The database may come back. A task that was deleted will not.
                Err(Error::NotFound) => return None,
                Ok(_) | Err(_) if now >= self.spoken_at + ALIVE => {
                    self.spoken_at = now;
                    return Some((": keep-alive\n\n".to_owned(), Some(self)));
                }
                Ok(_) => {}
                Err(_) => self.host.tasks().clock().sleep(LOOK).await,
            }
        }
    }

    fn tell(mut self, status: TaskStatus, event: &str) -> (String, Option<Self>) {
        let ended = status.state.ended();
        let text = match event {
            _ if ended => written("end", &json(&status)),
            "progress" => written("progress", status.progress.as_deref().unwrap_or("null")),
            _ => written("status", &json(&status)),
        };
        self.told = Some(status);
        self.spoken_at = self.host.tasks().clock().monotonic();
        (text, (!ended).then_some(self))
    }

    /// Whether the stream may go on.
    async fn stands(&mut self, now: Duration) -> bool {
        let wall = self.host.tasks().clock().now();
        if now >= self.opened_at + LONGEST || wall >= self.caller.valid_until {
            return false;
        }
        if now < self.checked_at + CHECK {
            return true;
        }
        self.checked_at = now;
        self.front.still_valid(&self.caller).await
    }
}

/// In more than its progress.
fn differs(status: &TaskStatus, told: &TaskStatus) -> bool {
    let seen = |status: &TaskStatus| (status.state, status.attempt, status.cancel_requested);
    seen(status) != seen(told)
}

fn json(status: &TaskStatus) -> String {
    serde_json::to_string(&Task::from(status.clone())).unwrap_or_default()
}

/// Results are kept as they came, with any line breaks between their parts: each line of the data is one of the event.
/// A carriage return alone ends a line as well (WHATWG HTML, section 9.2.5).
fn written(event: &str, json: &str) -> String {
    let lines = json.split(['\r', '\n']).filter(|line| !line.is_empty());
    let data: String = lines.map(|line| format!("data: {line}\n")).collect();
    format!("event: {event}\n{data}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_with_any_line_breaks_is_one_event() {
        let text = written("end", "{\"a\":1,\r\"b\":\r\n\n2}");
        assert_eq!(
            text,
            "event: end\ndata: {\"a\":1,\ndata: \"b\":\ndata: 2}\n\n"
        );
    }
}
