use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError};
use cgcg_web::{FieldError, Items, Problem, RequireScope};
use serde::Serialize;
use utoipa::ToSchema;

use super::create::{Maker, NewTask, idempotency_key, told};
use super::problem::on_wire;
use crate::{Answered, Created, Error, Host, TaskCreate, TaskId, scopes};

/// Tasks in one request, at most.
const MOST: usize = 1_000;

/// Tasks to be made, at most 1,000.
#[derive(Serialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TaskBatch)]
pub(super) struct Batch {
    /// In the order of the answer.
    #[schema(max_items = 1_000)]
    items: Vec<NewTask>,
}

/// What became of each task, in the order asked.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskBatchMade)]
struct Made {
    items: Vec<Outcome>,
}

/// What became of one task.
#[derive(Serialize, ToSchema)]
#[schema(as = TaskOutcome)]
struct Outcome {
    /// As if it had been asked for alone: 201 made, 200 its unique key is taken, 4xx refused.
    status: u16,
    /// The task, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "uuid")]
    id: Option<TaskId>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<&'static str>,
    /// The same, for people.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// Which fields are wrong, where that is the trouble.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    errors: Vec<FieldError>,
}

impl Outcome {
    fn of(made: Result<Created, Error>, place: usize) -> Self {
        let error = match made {
            Ok(created) => {
                return Self {
                    status: if created.existing { 200 } else { 201 },
                    id: Some(created.id),
                    code: None,
                    detail: None,
                    errors: Vec::new(),
                };
            }
            Err(error) => error,
        };
        let errors = match &error {
            Error::Invalid { field, invalid } => vec![FieldError {
                loc: ["body", "items", &place.to_string(), on_wire(field)]
                    .map(str::to_owned)
                    .into(),
                code: invalid.code.to_owned(),
                detail: invalid.detail.clone(),
            }],
            _ => Vec::new(),
        };
        let problem = Problem::from(error);
        Self {
            status: problem.status_code().as_u16(),
            id: None,
            code: Some(problem.code()),
            detail: Some(problem.detail().to_owned()),
            errors,
        }
    }
}

/// Make many tasks.
///
/// Each is made or refused by itself; all that are made are kept together. What is no task at all, a wrong type or an
/// unknown field, refuses the whole request. As `application/x-ndjson` each line is a task. At most 1,000 tasks, and as
/// many bytes as `limits.body` of the server allows (1 MiB where it is not set).
#[utoipa::path(
    post,
    path = "/api/v1/tasks/batch",
    tag = "tasks",
    params(("idempotency-key" = Option<String>, Header,
        description = "A name for this request, 1 to 255 letters of printable ASCII: a repeat within 24 h gets the first answer.")),
    request_body(content((Batch = "application/json"), (NewTask = "application/x-ndjson"))),
    responses(
        (status = 200, body = Made, headers(
            ("idempotency-replayed" = String, description = "`true` where the answer was given before."),
        )),
        (status = 400, description = "`idempotency_key_invalid`"),
        (status = 413, description = "`batch_too_large`"),
        (status = 422, description = "`idempotency_key_reused`"),
    ),
    security(("oauth2" = ["tasks:create"]))
)]
pub(super) async fn create_tasks(
    host: Data<Host>,
    caller: RequireScope<scopes::Create>,
    request: HttpRequest,
    Items(items): Items<NewTask>,
) -> Result<HttpResponse, Problem> {
    if items.len() > MOST {
        return Err(Error::BatchTooLarge { limit: MOST }.into());
    }
    let (maker, tasks) = (Maker::new(&caller, &request), host.tasks());
    let key = idempotency_key(&request)?;
    let batch = Batch { items };
    let asked = match &key {
        Some(_) => serde_json::to_vec(&batch).map_err(Problem::internal)?,
        None => Vec::new(),
    };
    let items = batch.items.into_iter();
    let (fit, refused) = split(items.map(|new| new.checked(&host, &maker)));
    let Some(key) = key else {
        let made = tasks.create_each(fit).await?;
        return Ok(HttpResponse::Ok().json(merge(refused, made)));
    };
    let answered = tasks.create_once(&key, &maker.owner, &asked, fit, |made| {
        Ok(serde_json::to_vec(&merge(refused, made)).unwrap_or_default())
    });
    let Answered { answer, replayed } = answered.await?;
    let answer = HttpResponse::Ok()
        .content_type("application/json")
        .body(answer);
    Ok(told(answer, replayed))
}

/// Those that go to the service; and for each of all, why it does not.
fn split(
    items: impl Iterator<Item = Result<TaskCreate, Error>>,
) -> (Vec<TaskCreate>, Vec<Option<Error>>) {
    let mut fit = Vec::new();
    let refused = items.map(|item| item.map(|new| fit.push(new)).err());
    let refused = refused.collect();
    (fit, refused)
}

fn merge(refused: Vec<Option<Error>>, made: Vec<Result<Created, Error>>) -> Made {
    let mut made = made.into_iter();
    let outcome = |(place, refused): (usize, Option<Error>)| {
        let outcome = match refused {
            Some(error) => Err(error),
            None => made.next().unwrap_or(Err(Error::NotFound)),
        };
        Outcome::of(outcome, place)
    };
    Made {
        items: refused.into_iter().enumerate().map(outcome).collect(),
    }
}
