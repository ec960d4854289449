use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_web::{Json, Problem, RequireScope};
use futures_util::FutureExt;
use futures_util::future::select_all;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;
use utoipa::ToSchema;

use super::held::Held;
use super::request::{NewLeases, Wanted};
use crate::batch::ClaimItem;
use crate::router::shapes::raw;
use crate::schemas::text;
use crate::scopes::Work;
use crate::store::claim::Claimed;
use crate::store::remote;
use crate::{Error, Host, TaskId};

/// Tasks to work on.
#[derive(Serialize, ToSchema)]
pub(in crate::router) struct Leased {
    items: Vec<LeasedTask>,
}

/// A task, and the right to run it once.
#[derive(Serialize, ToSchema)]
pub(in crate::router) struct LeasedTask {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    id: TaskId,
    /// What is to be done.
    name: String,
    /// Where it waited.
    queue: String,
    /// Names this execution together with `id`: it grows with each.
    lease: i64,
    /// How long the lease lasts without a heartbeat, from before you asked; trust it for five sixths of that.
    ttl_ms: u64,
    /// The hard end of this attempt, from then.
    timeout_ms: u64,
    /// Which attempt this is, from 1.
    attempt: u32,
    /// After so many it fails for good.
    max_attempts: u32,
    /// What is told, byte for byte.
    #[schema(value_type = Value)]
    payload: Option<Box<RawValue>>,
    /// The `traceparent` of the request that made it, for what you do for it; `null` where there was none.
    #[schema(required = true)]
    traceparent: Option<String>,
}

/// Take tasks to work on.
///
/// Empty where there are none, with `wait_s` after that time. Each has to be renewed by a heartbeat before `ttl_ms` is
/// over, and ended by complete, fail, snooze or release. An execution that outlives its lease can overlap the next one.
#[utoipa::path(
    post,
    path = "/api/v1/leases",
    tag = "tasks",
    request_body = NewLeases,
    responses(
        (status = 200, body = Leased),
        (status = 403, description = "`name_reserved`, `queue_not_allowed`"),
        (status = 422, description = "`worker_invalid`, `queue_invalid`, `name_invalid`, `out_of_range`"),
        (status = 429, description = "`too_many_waiters`"),
    ),
    security(("oauth2" = ["tasks:work"]))
)]
pub(in crate::router) async fn lease_tasks(
    host: Data<Host>,
    caller: RequireScope<Work>,
    new: Json<NewLeases>,
) -> Result<HttpResponse, Problem> {
    let wanted = Arc::new(new.0.checked(&host, &caller)?);
    let mut held = take(&host, &wanted).await?;
    if held.count() == 0 && !wanted.wait.is_zero() {
        let _place = host.http().wait_for_work()?;
        held = wait(&host, &wanted).await?;
    }
    let items = held.hand_over().into_iter();
    let items = items.map(|(queue, task)| leased(&queue, task, wanted.ttl));
    Ok(HttpResponse::Ok().json(Leased {
        items: items.collect(),
    }))
}

fn leased(queue: &str, task: Claimed, ttl: Duration) -> LeasedTask {
    LeasedTask {
        id: task.id,
        queue: queue.to_owned(),
        lease: task.lease,
        ttl_ms: u64::try_from(ttl.as_millis()).unwrap_or(u64::MAX),
        timeout_ms: task.timeout_us.unsigned_abs() / 1_000,
        attempt: task.attempt.unsigned_abs(),
        max_attempts: task.max_attempts.unsigned_abs(),
        payload: raw(text(task.payload.unwrap_or_default())),
        traceparent: task.trace,
        name: task.name,
    }
}

/// Takes what there is now. A task of its own: where the client hangs up meanwhile, what was taken is given back.
async fn take(host: &Host, wanted: &Arc<Wanted>) -> Result<Held, Error> {
    let (host, wanted) = (host.clone(), wanted.clone());
    let taken = tokio::spawn(async move { take_from_each(&host, &wanted).await });
    // It panics with its runtime alone.
    taken.await.unwrap_or(Err(Error::Changed))
}

async fn take_from_each(host: &Host, wanted: &Wanted) -> Result<Held, Error> {
    let tasks = host.tasks();
    let mut held = Held::new(tasks.clone(), wanted.worker.clone());
    for queue in &wanted.queues {
        let left = wanted.max - held.count();
        let names = match &wanted.names {
            Some(names) => names.clone(),
            None => names_in(host, queue.as_str()).await?,
        };
        if left == 0 || names.is_empty() {
            continue;
        }
        let queue: Arc<str> = queue.as_str().into();
        let item = ClaimItem {
            queue: queue.clone(),
            limit: left,
            ahead: 0,
            lease: wanted.ttl,
            worker: wanted.worker.clone(),
            names,
        };
        let taken = tasks.claim(item).await?;
        held.add(&queue, taken.tasks);
    }
    Ok(held)
}

/// What waits there and is not for the program itself.
async fn names_in(host: &Host, queue: &str) -> Result<Arc<[String]>, Error> {
    let mut conn = host.tasks().db().read().await?;
    let names = remote::ready_names(&mut conn, queue).await?;
    Ok(names.into_iter().filter(|name| !host.owns(name)).collect())
}

/// Until there is something, the time is over, or the program ends. Neither of them leaves a claim under way: with the
/// program the threads end on which it would be given back.
async fn wait(host: &Host, wanted: &Arc<Wanted>) -> Result<Held, Error> {
    let tasks = host.tasks();
    let mut over = pin!(async {
        tokio::select! {
            () = host.stopping().cancelled() => {}
            () = tasks.clock().sleep(wanted.wait) => {}
        }
    });
    let turn = host
        .http()
        .turn(&format!("{:?} {:?}", wanted.queues, wanted.names));
    let _turn = tokio::select! {
        biased;
        () = &mut over => return Ok(Held::new(tasks.clone(), wanted.worker.clone())),
        turn = turn.lock() => turn,
    };
    let poll = tasks.settings().poll.get();
    let queues = wanted.queues.iter();
    let mut bells: Vec<watch::Receiver<()>> = queues
        .map(|queue| tasks.bells().listen(queue.as_str()))
        .collect();
    loop {
        // Heard from here on: what comes while we look is looked for again.
        bells.iter_mut().for_each(watch::Receiver::mark_unchanged);
        let held = take(host, wanted).await?;
        if held.count() > 0 {
            return Ok(held);
        }
        let rings = bells.iter_mut().map(|bell| bell.changed().boxed());
        tokio::select! {
            biased;
            () = &mut over => return Ok(held),
            _ = select_all(rings) => {}
            () = tasks.clock().sleep(poll) => {}
        }
    }
}
