use cgcg_core::{Clock, TaskStatus};
use cgcg_tasks::{Error, QueueName, Service, TaskId, TaskLine};
use serde_json::{Value, json};

use super::pick::pick;
use super::table::{self, maybe, plain, time, word};
use crate::Failure;
use crate::cli::Pick;
use crate::console::say;

pub(super) async fn list(
    tasks: &Service,
    clock: &dyn Clock,
    wanted: Pick,
    limit: usize,
    json: bool,
) -> Result<(), Failure> {
    lines(&pick(tasks, clock, wanted, limit, |_| true).await?, json)
}

pub(super) fn lines(found: &[TaskLine], json: bool) -> Result<(), Failure> {
    if json {
        let line = |task: &TaskLine| {
            json!({
                "id": task.id, "owner": task.owner, "name": task.name, "queue": task.queue,
                "state": task.state, "priority": task.priority, "attempt": task.attempt, "max_attempts": task.max_attempts,
                "progress": parsed(task.progress.as_deref()), "run_at": task.run_at,
                "created_at": task.created_at, "started_at": task.started_at,
                "finished_at": task.finished_at, "cancel_requested": task.cancel_requested,
            })
        };
        return table::json(&found.iter().map(line).collect::<Vec<_>>());
    }
    let row = |task: &TaskLine| {
        [
            task.id.to_string(),
            word(&task.state),
            task.queue.clone(),
            task.name.clone(),
            format!("{}/{}", task.attempt, task.max_attempts),
            time(task.created_at),
        ]
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    table::print(
        ["id", "state", "queue", "name", "attempt", "created"],
        &rows,
    );
    Ok(())
}

/// JSON text that was checked on its way in.
fn parsed(text: Option<&str>) -> Value {
    text.and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default()
}

pub(super) async fn show(
    tasks: &Service,
    id: TaskId,
    payload: bool,
    json: bool,
) -> Result<(), Failure> {
    let status = tasks.get_task_status(id).await?.ok_or(Error::NotFound)?;
    let payload = match payload {
        true => tasks.find_payload(id).await?,
        false => None,
    };
    let payload = payload.as_ref().map(cgcg_tasks::Payload::as_str);
    if json {
        let mut shown = serde_json::to_value(&status)?;
        shown["progress"] = parsed(status.progress.as_deref());
        shown["result"] = parsed(status.result.as_deref());
        if payload.is_some() {
            shown["payload"] = parsed(payload);
        }
        return table::json(&shown);
    }
    told(&status, payload);
    Ok(())
}

fn told(status: &TaskStatus, payload: Option<&str>) {
    let asked = if status.cancel_requested {
        ", asked to end"
    } else {
        ""
    };
    let lines = [
        ("id", status.id.to_string()),
        ("name", status.name.clone()),
        ("queue", status.queue.clone()),
        ("state", format!("{}{asked}", word(&status.state))),
        (
            "attempt",
            format!("{} of {}", status.attempt, status.max_attempts),
        ),
        ("priority", status.priority.to_string()),
        ("created", time(status.created_at)),
        ("not before", time(status.run_at)),
        ("started", maybe(status.started_at)),
        ("finished", maybe(status.finished_at)),
        (
            "progress",
            status.progress.clone().unwrap_or_else(|| "-".to_owned()),
        ),
        (
            "result",
            status.result.clone().unwrap_or_else(|| "-".to_owned()),
        ),
    ];
    let payload = payload.map(|payload| ("payload", payload.to_owned()));
    for (name, value) in lines.into_iter().chain(payload) {
        say(format!("{name:11} {}", plain(&value)));
    }
    for failure in &status.errors {
        let text = plain(failure.error.as_deref().unwrap_or_default());
        say(format!(
            "{:11} {}  attempt {}  {}  {text}",
            "error",
            time(failure.at),
            failure.attempt,
            failure.code
        ));
    }
}

pub(super) async fn schedules(tasks: &Service, json: bool) -> Result<(), Failure> {
    let mut all = Vec::new();
    loop {
        let after = all
            .last()
            .map_or("", |schedule: &cgcg_tasks::Schedule| &schedule.name);
        let page = tasks.list_schedules(after).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if json {
        let one = |schedule: &cgcg_tasks::Schedule| {
            json!({
                "name": schedule.name, "cron": schedule.cron, "time_zone": schedule.time_zone,
                "task": schedule.task, "queue": schedule.queue, "paused": schedule.paused,
                "next_at": schedule.next_at, "last_at": schedule.last_at, "last_task": schedule.last_task,
            })
        };
        return table::json(&all.iter().map(one).collect::<Vec<_>>());
    }
    let row = |schedule: &cgcg_tasks::Schedule| {
        [
            schedule.name.clone(),
            schedule.cron.clone(),
            schedule.time_zone.clone(),
            schedule.task.clone(),
            match schedule.paused {
                true => "paused".to_owned(),
                false => time(schedule.next_at),
            },
            maybe(schedule.last_at),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table::print(["schedule", "cron", "zone", "task", "next", "last"], &rows);
    Ok(())
}

pub(super) async fn leases(
    tasks: &Service,
    queue: Option<&QueueName>,
    json: bool,
) -> Result<(), Failure> {
    let mut all: Vec<cgcg_tasks::Lease> = Vec::new();
    loop {
        let after = all.last().map(|lease| lease.id);
        let page = tasks.list_leases(queue, after, 200).await?;
        if page.is_empty() {
            break;
        }
        all.extend(page);
    }
    if json {
        let one = |lease: &cgcg_tasks::Lease| {
            json!({
                "id": lease.id, "queue": lease.queue, "name": lease.name, "worker": lease.worker,
                "attempt": lease.attempt, "started_at": lease.started_at, "lease_until": lease.lease_until,
            })
        };
        return table::json(&all.iter().map(one).collect::<Vec<_>>());
    }
    let row = |lease: &cgcg_tasks::Lease| {
        [
            lease.id.to_string(),
            lease.queue.clone(),
            lease.name.clone(),
            time(lease.started_at),
            time(lease.lease_until),
            lease.worker.clone(),
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table::print(["id", "queue", "name", "started", "until", "worker"], &rows);
    Ok(())
}

pub(super) async fn workers(tasks: &Service, json: bool) -> Result<(), Failure> {
    let all = tasks.list_workers().await?;
    if json {
        let one = |worker: &cgcg_tasks::WorkerLine| {
            json!({
                "id": worker.id, "host": worker.host, "pid": worker.pid, "version": worker.version,
                "queues": worker.queues, "running": worker.running, "started_at": worker.started_at,
                "seen_at": worker.seen_at, "silent": worker.silent,
            })
        };
        return table::json(&all.iter().map(one).collect::<Vec<_>>());
    }
    let row = |worker: &cgcg_tasks::WorkerLine| {
        let queues = worker.queues.iter();
        let queues: Vec<_> = queues
            .map(|(queue, slots)| format!("{queue}={slots}"))
            .collect();
        [
            worker.host.clone(),
            worker.pid.to_string(),
            queues.join(","),
            worker.running.to_string(),
            time(worker.started_at),
            match worker.silent {
                true => format!("{} (silent)", time(worker.seen_at)),
                false => time(worker.seen_at),
            },
        ]
    };
    let rows: Vec<_> = all.iter().map(row).collect();
    table::print(
        ["host", "pid", "queues", "running", "started", "seen"],
        &rows,
    );
    Ok(())
}
