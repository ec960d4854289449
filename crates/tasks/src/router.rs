mod batch;
mod create;
mod events;
pub(crate) mod leases;
mod numbers;
mod problem;
mod queues;
mod schedules;
mod shapes;
mod shared;
mod tasks;

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig, resource, scope};
use cgcg_core::{
    BoxFuture, Health, Migrations, Principal, ScopeInfo, ScopeSpec, TopicSpec, Worker,
};
use cgcg_web::{Module, etag};
use serde::Serialize;
use utoipa::OpenApi;

use crate::scopes::{self, Admin};
use crate::{Error, Host, MIGRATIONS, TOPICS, TaskId};
pub(crate) use shared::Shared;

impl Module for Host {
    fn name(&self) -> &'static str {
        "tasks"
    }

    fn prefixes(&self) -> &'static [&'static str] {
        &["/tasks", "/queues", "/schedules", "/leases"]
    }

    fn migrations(&self) -> Option<&'static Migrations> {
        Some(&MIGRATIONS)
    }

    fn routes(&self, cfg: &mut ServiceConfig) {
        let host = Data::new(self.clone());
        let (all, one) = (resource(""), resource("/{id}"));
        let tasks = scope("/tasks")
            .app_data(host.clone())
            .service(all.get(tasks::list_tasks).post(create::create_task))
            .service(resource("/batch").post(batch::create_tasks))
            .service(
                one.get(tasks::get_task)
                    .patch(tasks::update_task)
                    .delete(tasks::delete_task),
            )
            .service(resource("/{id}/cancel").post(tasks::cancel_task))
            .service(resource("/{id}/retry").post(tasks::retry_task))
            .service(resource("/{id}/events").get(events::watch_task));
        let (all, one) = (resource(""), resource("/{name}"));
        let queues = scope("/queues")
            .app_data(host.clone())
            .service(all.get(queues::list_queues))
            .service(
                one.get(queues::get_queue)
                    .put(queues::set_queue)
                    .patch(queues::update_queue),
            );
        let (all, one) = (resource(""), resource("/{name}"));
        let schedules = scope("/schedules")
            .app_data(host.clone())
            .service(
                all.get(schedules::list_schedules)
                    .post(schedules::create_schedule),
            )
            .service(
                one.get(schedules::get_schedule)
                    .patch(schedules::update_schedule)
                    .delete(schedules::delete_schedule),
            )
            .service(resource("/{name}/run").post(schedules::run_schedule));
        let all = resource("");
        let leases = scope("/leases")
            .app_data(host)
            .service(all.get(leases::list_leases).post(leases::lease_tasks))
            .service(resource("/heartbeat").post(leases::renew_leases))
            .service(resource("/complete").post(leases::complete_leases))
            .service(resource("/fail").post(leases::fail_leases))
            .service(resource("/snooze").post(leases::snooze_leases))
            .service(resource("/release").post(leases::release_leases));
        cfg.service(tasks)
            .service(queues)
            .service(schedules)
            .service(leases);
    }

    fn openapi(&self) -> utoipa::openapi::OpenApi {
        Document::openapi()
    }

    fn scopes(&self) -> &'static [ScopeInfo] {
        scopes::ALL
    }

    fn topics(&self) -> &'static [TopicSpec] {
        TOPICS
    }

    fn workers(&self) -> Vec<Worker> {
        Self::workers(self)
    }

    fn check(&self) -> BoxFuture<'_, Health> {
        Box::pin(self.tasks().health())
    }
}

#[derive(OpenApi)]
#[openapi(
    paths(
        tasks::list_tasks,
        create::create_task,
        batch::create_tasks,
        tasks::get_task,
        tasks::update_task,
        tasks::delete_task,
        tasks::cancel_task,
        tasks::retry_task,
        events::watch_task,
        queues::list_queues,
        queues::get_queue,
        queues::set_queue,
        queues::update_queue,
        schedules::list_schedules,
        schedules::create_schedule,
        schedules::get_schedule,
        schedules::update_schedule,
        schedules::delete_schedule,
        schedules::run_schedule,
        leases::list_leases,
        leases::lease_tasks,
        leases::renew_leases,
        leases::complete_leases,
        leases::fail_leases,
        leases::snooze_leases,
        leases::release_leases,
    ),
    tags((name = "tasks", description = "Durable background work."))
)]
struct Document;

/// Who made a task, as it is stored.
fn owner(caller: &Principal) -> String {
    caller.subject.to_string()
}

/// Whether the caller reaches everybody's tasks.
fn reaches_all(caller: &Principal) -> bool {
    Admin::missing(&caller.grants).is_none()
}

/// Another owner's task is unknown, and not forbidden: nobody learns what others do.
async fn reach(host: &Host, caller: &Principal, id: TaskId) -> Result<(), Error> {
    if reaches_all(caller) {
        return Ok(());
    }
    let stored = host.tasks().find_owner(id).await?;
    match stored.is_some_and(|stored| stored == owner(caller)) {
        true => Ok(()),
        false => Err(Error::NotFound),
    }
}

/// 200 with the version as `ETag`.
fn answer(version: i64, body: impl Serialize) -> HttpResponse {
    HttpResponse::Ok().insert_header(etag(version)).json(body)
}
