use actix_web::http::header::{HeaderName, HeaderValue, LOCATION};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use cgcg_core::{Invalid, Principal, Timestamp};
use cgcg_web::{Json, Problem, RequireScope};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::numbers::{max_attempts, priority, seconds};
use super::owner;
use super::shapes::TaskCreated;
use crate::{
    Answered, Error, Host, IdempotencyKey, Name, Payload, QueueName, TaskCreate, TraceParent,
    scopes,
};

/// A task to be made. What is absent comes from the settings.
#[derive(Deserialize, Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskCreate, example = json!({
    "name": "thumbnail",
    "payload": { "file": "a.png", "width": 200 },
    "unique_key": "a.png",
}))]
pub(super) struct NewTask {
    /// Which handler does it: 1 to 128 ASCII letters, digits and `._:-`.
    name: String,
    /// What it is told: any JSON, kept byte for byte; `null` where absent.
    #[serde(default = "null")]
    #[schema(value_type = Option<Value>)]
    payload: Box<RawValue>,
    /// Where it waits; `default` where absent.
    queue: Option<String>,
    /// Not before; at most five years ahead. Not together with `delay_s`.
    run_at: Option<Timestamp>,
    /// Not before so many seconds from now.
    #[schema(minimum = 0)]
    delay_s: Option<i64>,
    /// Lower runs first; 100 where absent.
    #[schema(minimum = 0, maximum = 999)]
    priority: Option<i64>,
    /// After so many attempts it fails for good.
    #[schema(minimum = 1, maximum = 100)]
    max_attempts: Option<i64>,
    /// The hard end of one attempt, in seconds.
    #[schema(minimum = 1, maximum = 604_800)]
    timeout_s: Option<i64>,
    /// While a task of yours with this name and key has not ended, a second one is not made. 1 to 256 bytes.
    unique_key: Option<String>,
    /// With `unique_key`: nor within so many seconds after one was made.
    #[schema(minimum = 1, maximum = 604_800)]
    unique_for_s: Option<i64>,
    /// What limits for each key count by: a customer, a host. 1 to 128 bytes.
    concurrency_key: Option<String>,
}

/// Told nothing.
pub(super) fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

impl NewTask {
    /// As the service takes it.
    pub(super) fn checked(self, host: &Host, maker: &Maker) -> Result<TaskCreate, Error> {
        let invalid = |field| move |invalid: Invalid| Error::Invalid { field, invalid };
        let name = Name::parse(self.name).map_err(invalid("name"))?;
        let queue = self.queue.map(QueueName::parse).transpose();
        let queue = queue.map_err(invalid("queue"))?;
        if host.owns(name.as_str())
            || queue
                .as_ref()
                .is_some_and(|queue| host.owns(queue.as_str()))
        {
            return Err(Error::NameReserved);
        }
        let payload = String::from(Box::<str>::from(self.payload));
        let payload = Payload::parse(payload).map_err(invalid("payload"))?;
        Ok(TaskCreate {
            queue,
            owner: maker.owner.clone(),
            trace: maker.trace.clone(),
            run_at: self.run_at,
            delay: seconds("delay_s", self.delay_s)?,
            priority: priority(self.priority)?,
            max_attempts: max_attempts(self.max_attempts)?,
            timeout: seconds("timeout_s", self.timeout_s)?,
            unique_key: self.unique_key,
            unique_for: seconds("unique_for_s", self.unique_for_s)?,
            concurrency_key: self.concurrency_key,
            ..TaskCreate::new(name, payload)
        })
    }
}

/// Who makes a task, and in which trace.
pub(super) struct Maker {
    pub(super) owner: String,
    trace: Option<TraceParent>,
}

impl Maker {
    /// A `traceparent` that is none, or one of several, is as none: the trace begins anew.
    pub(super) fn new(caller: &Principal, request: &HttpRequest) -> Self {
        let mut traces = request.headers().get_all("traceparent");
        let trace = match (traces.next(), traces.next()) {
            (Some(trace), None) => trace.to_str().ok().and_then(|text| text.parse().ok()),
            _ => None,
        };
        Self {
            owner: owner(caller),
            trace,
        }
    }
}

/// Make a task.
///
/// A valid `traceparent` of the request stays with the task: whoever works on it gets it.
/// Where a live task of yours has its unique key, the answer is 200 with that one.
#[utoipa::path(
    post,
    path = "/api/v1/tasks",
    tag = "tasks",
    params(("idempotency-key" = Option<String>, Header,
        description = "A name for this request, 1 to 255 letters of printable ASCII: a repeat within 24 h gets the first answer.")),
    request_body = NewTask,
    responses(
        (status = 201, body = TaskCreated, headers(
            ("location" = String, description = "The task."),
            ("idempotency-replayed" = String, description = "`true` where the answer was given before."),
        )),
        (status = 200, body = TaskCreated, description = "The unique key is taken: the task that has it."),
        (status = 400, description = "`idempotency_key_invalid`"),
        (status = 403, description = "`name_reserved`"),
        (status = 413, description = "`payload_too_large`"),
        (status = 422, description = "`name_invalid`, `queue_invalid`, `payload_invalid`, `run_at_ambiguous`, `run_at_too_far`, `key_empty`, `key_too_long`, \
            `unique_key_missing`, `text_invalid`, `out_of_range`, `idempotency_key_reused`"),
    ),
    security(("oauth2" = ["tasks:create"]))
)]
pub(super) async fn create_task(
    host: Data<Host>,
    caller: RequireScope<scopes::Create>,
    request: HttpRequest,
    new: Json<NewTask>,
) -> Result<HttpResponse, Problem> {
    let (maker, tasks) = (Maker::new(&caller, &request), host.tasks());
    let Some(key) = idempotency_key(&request)? else {
        let created = tasks.create(new.0.checked(&host, &maker)?).await?;
        return Ok(created_as(&created.into()));
    };
    let asked = serde_json::to_vec(&new.0).map_err(Problem::internal)?;
    let new = new.0.checked(&host, &maker)?;
    let answered = tasks.create_once(&key, &maker.owner, &asked, vec![new], |mut made| {
        let created = made.pop().ok_or(Error::NotFound)??;
        Ok(serde_json::to_vec(&TaskCreated::from(created)).unwrap_or_default())
    });
    let Answered { answer, replayed } = answered.await?;
    let created = serde_json::from_slice(&answer).map_err(Problem::internal)?;
    Ok(told(created_as(&created), replayed))
}

fn created_as(created: &TaskCreated) -> HttpResponse {
    let mut answer = match created.existing {
        true => HttpResponse::Ok(),
        false => HttpResponse::Created(),
    };
    let location = format!("/api/v1/tasks/{}", created.id);
    answer.insert_header((LOCATION, location)).json(created)
}

const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");

/// With the header that says that it was given before.
pub(super) fn told(mut answer: HttpResponse, replayed: bool) -> HttpResponse {
    if replayed {
        let headers = answer.headers_mut();
        headers.insert(REPLAYED, HeaderValue::from_static("true"));
    }
    answer
}

pub(super) fn idempotency_key(request: &HttpRequest) -> Result<Option<IdempotencyKey>, Error> {
    let mut values = request.headers().get_all("idempotency-key");
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let text = value.to_str().map_err(|_| Error::IdempotencyKeyInvalid)?;
    match values.next() {
        Some(_) => Err(Error::IdempotencyKeyInvalid),
        None => text.parse().map(Some),
    }
}
