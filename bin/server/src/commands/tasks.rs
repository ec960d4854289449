mod act;
mod bench;
mod look;
mod pick;
mod queues;
mod table;

use cgcg_core::{Clock, Span, TaskState};
use cgcg_tasks::{Error, Host, Payload, QueueName, Service, TaskCreate, TaskId};
use serde_json::json;

use crate::assembly::Assembly;
use crate::cli::{ScheduleVerb, Tasks, TasksVerb};
use crate::console::{note, say};
use crate::settings::Settings;
use crate::{Failure, NotInTime};

/// Between two looks at a queue, and between two at a task.
const LOOK: Span = Span::seconds(1);
/// As long as nobody says how long.
const LONG: Span = Span::days(365);

pub(crate) async fn run(what: Tasks, settings: &Settings) -> Result<(), Failure> {
    match what {
        Tasks::Queue(verb) => with_queue(verb, settings).await,
        Tasks::Bench(options) => bench::run(options, settings).await,
    }
}

async fn with_queue(verb: TasksVerb, settings: &Settings) -> Result<(), Failure> {
    let assembly = match verb {
        TasksVerb::Create { .. } => Assembly::open(settings).await?,
        _ => Assembly::open_existing(settings).await?,
    };
    let host = &assembly.built.tasks;
    let (tasks, clock) = (host.tasks(), &*assembly.clock);
    match verb {
        TasksVerb::List { pick, limit, json } => look::list(tasks, clock, pick, limit, json).await,
        TasksVerb::Show { id, payload, json } => look::show(tasks, id, payload, json).await,
        TasksVerb::Cancel(many) => act::run(tasks, clock, act::Verb::Cancel, many).await,
        TasksVerb::Retry(many) => act::run(tasks, clock, act::Verb::Retry, many).await,
        TasksVerb::Delete(many) => act::run(tasks, clock, act::Verb::Delete, many).await,
        TasksVerb::Queues { json } => queues::list(tasks, json).await,
        TasksVerb::Pause { queue } => {
            warn_of_own(host, queue.as_str());
            queues::pause(tasks, &queue, true).await
        }
        TasksVerb::Resume { queue } => queues::pause(tasks, &queue, false).await,
        TasksVerb::Limit(limits) => {
            warn_of_own(host, limits.queue.as_str());
            queues::limit(tasks, limits).await
        }
        TasksVerb::Schedules { json } => look::schedules(tasks, json).await,
        TasksVerb::Schedule { verb, name } => {
            if matches!(verb, ScheduleVerb::Pause | ScheduleVerb::Remove) {
                warn_of_own(host, &name);
            }
            schedule(tasks, verb, &name).await
        }
        TasksVerb::Leases { queue, json } => look::leases(tasks, queue.as_ref(), json).await,
        TasksVerb::Workers { json } => look::workers(tasks, json).await,
        TasksVerb::Wait {
            id: Some(id),
            timeout,
            ..
        } => wait(tasks, clock, id, timeout).await,
        TasksVerb::Wait {
            queue: Some(queue),
            timeout,
            ..
        } => until_empty(tasks, clock, &queue, timeout).await,
        TasksVerb::Wait { .. } => Err("say which task, or which queue".into()),
        TasksVerb::Purge => {
            say(format!("{} tasks removed", tasks.purge().await?));
            Ok(())
        }
        TasksVerb::Create {
            name,
            payload,
            queue,
            delay,
            priority,
            unique_key,
            json,
        } => {
            warn_of_own(host, name.as_str());
            warn_of_own(host, queue.as_str());
            let new = TaskCreate {
                queue: Some(queue),
                delay: delay.map(Span::get),
                priority,
                unique_key,
                ..TaskCreate::new(name, Payload::parse(payload)?)
            };
            create(tasks, new, json).await
        }
    }
}

async fn create(tasks: &Service, new: TaskCreate, json: bool) -> Result<(), Failure> {
    let made = tasks.create(new).await?;
    match (json, made.existing) {
        (true, existing) => {
            say(json!({ "id": made.id, "state": made.state, "existing": existing }).to_string());
        }
        (false, existing) => {
            if existing {
                note("another task has this key; its id:");
            }
            say(made.id.to_string());
        }
    }
    Ok(())
}

/// Whoever has the machine may do so, knowing what it is.
fn warn_of_own(host: &Host, word: &str) {
    if host.owns(word) {
        note(format!(
            "{word} belongs to the program itself, which relies on it"
        ));
    }
}

async fn schedule(tasks: &Service, verb: ScheduleVerb, name: &str) -> Result<(), Failure> {
    let unknown = |error| match error {
        Error::NotFound => format!("there is no schedule called {name:?}").into(),
        error => Failure::from(error),
    };
    match verb {
        ScheduleVerb::Run => {
            let made = tasks.run_schedule(name).await.map_err(unknown)?;
            say(made.id.to_string());
        }
        ScheduleVerb::Pause => {
            tasks.pause_schedule(name).await.map_err(unknown)?;
            say(format!("{name} makes no tasks any more"));
        }
        ScheduleVerb::Resume => {
            tasks.resume_schedule(name).await.map_err(unknown)?;
            say(format!("{name} goes on"));
        }
        ScheduleVerb::Remove => {
            tasks.remove_schedule(name).await.map_err(unknown)?;
            say(format!("{name} is removed"));
        }
    }
    Ok(())
}

async fn wait(
    tasks: &Service,
    clock: &dyn Clock,
    id: TaskId,
    timeout: Option<Span>,
) -> Result<(), Failure> {
    let until = clock.monotonic() + timeout.unwrap_or(LONG).get();
    loop {
        let left = until.saturating_sub(clock.monotonic());
        let status = tasks.wait(id, left.min(LOOK.get())).await?;
        match status.state {
            TaskState::Succeeded => {
                say(table::plain(status.result.as_deref().unwrap_or("null")));
                return Ok(());
            }
            state if state.ended() => return Err(format!("{id}: {}", table::word(&state)).into()),
            _ if left.is_zero() => return Err(NotInTime(format!("{id} has not ended")).into()),
            _ => {}
        }
    }
}

async fn until_empty(
    tasks: &Service,
    clock: &dyn Clock,
    queue: &QueueName,
    timeout: Option<Span>,
) -> Result<(), Failure> {
    let until = clock.monotonic() + timeout.unwrap_or(LONG).get();
    loop {
        let loads = tasks.queue_loads().await?;
        let load = loads.get(queue.as_str());
        let (ready, running) = load.map_or((0, 0), |load| (load.ready, load.running));
        if ready + running == 0 {
            return Ok(());
        }
        if clock.monotonic() >= until {
            return Err(NotInTime(format!("{queue}: {ready} ready, {running} running")).into());
        }
        clock.sleep(LOOK.get()).await;
    }
}
