use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_core::{Cursor, Limit, Page, PageRequest, TaskState};
use cgcg_web::{Problem, Query, RequireScope};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::router::problem::in_query;
use crate::router::shapes::Line;
use crate::router::{owner, reaches_all};
use crate::scopes::Read;
use crate::{Error, Host, Name, QueueName, TaskFilter};

/// Which tasks, and which page of them.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(in crate::router) struct TaskQuery {
    /// Made by this user or service account. Whoever does not have `tasks:admin` finds their own with or without it, and
    /// nothing with another's.
    #[param(value_type = Option<String>, format = "uuid")]
    owner: Option<Uuid>,
    /// In this state.
    #[param(inline)]
    state: Option<TaskState>,
    /// In this queue.
    queue: Option<String>,
    /// For this handler.
    name: Option<String>,
    /// At most so many items.
    #[serde(default)]
    #[param(value_type = Option<u8>, minimum = 1, maximum = 200, default = 50)]
    limit: Limit,
    /// The `next_cursor` of the page before.
    #[param(value_type = Option<String>)]
    cursor: Option<Cursor>,
}

/// Your tasks, newest first; with `tasks:admin` everybody's.
///
/// A page looks at 5,000 tasks of those whose owner fits and no more: it may be short, or empty, while `next_cursor` is set.
#[utoipa::path(
    get,
    path = "/api/v1/tasks",
    tag = "tasks",
    params(TaskQuery),
    responses(
        (status = 200, body = Page<Line>),
        (status = 422, description = "`name_invalid`, `queue_invalid`"),
    ),
    security(("oauth2" = ["tasks:read"]))
)]
pub(in crate::router) async fn list_tasks(
    host: Data<Host>,
    caller: RequireScope<Read>,
    Query(query): Query<TaskQuery>,
) -> Result<HttpResponse, Problem> {
    let own = (!reaches_all(&caller)).then(|| owner(&caller));
    let page = PageRequest {
        limit: query.limit,
        cursor: query.cursor,
    };
    let page = match query.filter(own)? {
        Some(filter) => host.tasks().list(&filter, page).await?,
        None => Page {
            items: Vec::new(),
            next_cursor: None,
        },
    };
    Ok(HttpResponse::Ok().json(page.map(Line::from)))
}

impl TaskQuery {
    /// What to look for; `None` where it can only be somebody else's. `own` is the caller who reaches no other's.
    fn filter(self, own: Option<String>) -> Result<Option<TaskFilter>, Problem> {
        let asked = self.owner.map(|owner| owner.to_string());
        if own.is_some() && asked.is_some() && own != asked {
            return Ok(None);
        }
        let invalid = |field| move |invalid| in_query(Error::Invalid { field, invalid });
        Ok(Some(TaskFilter {
            owner: own.or(asked),
            state: self.state,
            queue: self
                .queue
                .map(QueueName::parse)
                .transpose()
                .map_err(invalid("queue"))?,
            name: self
                .name
                .map(Name::parse)
                .transpose()
                .map_err(invalid("name"))?,
        }))
    }
}
