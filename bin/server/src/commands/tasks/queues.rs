use std::collections::{BTreeMap, BTreeSet};

use cgcg_core::Span;
use cgcg_tasks::{QueueLimits, QueueName, Rate, Service};
use serde_json::{Value, json};

use super::table::{self, maybe};
use crate::Failure;
use crate::cli::Limits;
use crate::console::say;

pub(super) async fn list(tasks: &Service, json: bool) -> Result<(), Failure> {
    let loads = tasks.queue_loads().await?;
    let mut limited: BTreeMap<String, QueueLimits> = BTreeMap::new();
    loop {
        let after = limited.keys().next_back().map_or("", String::as_str);
        let page = tasks.list_queues(after).await?;
        if page.is_empty() {
            break;
        }
        limited.extend(page.into_iter().map(|queue| (queue.name, queue.limits)));
    }
    let names: BTreeSet<&String> = limited.keys().chain(loads.keys()).collect();
    let rows = names.into_iter().map(|name| {
        let limits = limited.get(name).copied().unwrap_or_default();
        (name, limits, loads.get(name).cloned().unwrap_or_default())
    });
    if json {
        let queues = rows.map(|(name, limits, load)| {
            json!({
                "name": name, "paused": limits.paused, "max_running": limits.max_running,
                "max_per_key": limits.max_per_key, "rate": rate_json(limits.rate),
                "key_rate": rate_json(limits.key_rate), "ready": load.ready, "running": load.running,
                "oldest_at": load.oldest_at, "workers": load.workers,
            })
        });
        return table::json(&queues.collect::<Vec<_>>());
    }
    let rows = rows.map(|(name, limits, load)| {
        [
            name.clone(),
            load.ready.to_string(),
            load.running.to_string(),
            maybe(load.oldest_at),
            load.workers.to_string(),
            told(limits),
        ]
    });
    let rows: Vec<_> = rows.collect();
    table::print(
        ["queue", "ready", "running", "oldest", "workers", "limits"],
        &rows,
    );
    Ok(())
}

fn rate_json(rate: Option<Rate>) -> Option<Value> {
    rate.map(|rate| json!({ "n": rate.n, "per_ms": rate.per.as_millis() }))
}

fn told(limits: QueueLimits) -> String {
    let number = |name: &str, limit: Option<u32>| limit.map(|limit| format!("{name} {limit}"));
    let rate = |name: &str, rate: Option<Rate>| {
        let per =
            |rate: Rate| Span::millis(u64::try_from(rate.per.as_millis()).unwrap_or_default());
        rate.map(|rate| format!("{name} {}/{}", rate.n, per(rate)))
    };
    let all = [
        limits.paused.then(|| "paused".to_owned()),
        number("max-running", limits.max_running),
        number("max-per-key", limits.max_per_key),
        rate("rate", limits.rate),
        rate("key-rate", limits.key_rate),
    ];
    let told: Vec<String> = all.into_iter().flatten().collect();
    match told.is_empty() {
        true => "-".to_owned(),
        false => told.join(", "),
    }
}

pub(super) async fn pause(tasks: &Service, queue: &QueueName, paused: bool) -> Result<(), Failure> {
    let stands = tasks.find_queue(queue).await?;
    let version = stands.as_ref().map_or(0, |queue| queue.version);
    let limits = stands.map(|queue| queue.limits).unwrap_or_default();
    let limits = QueueLimits { paused, ..limits };
    tasks.set_limits(queue, limits, Some(version)).await?;
    say(match paused {
        true => format!("nothing of {queue} starts any more"),
        false => format!("{queue} goes on"),
    });
    Ok(())
}

pub(super) async fn limit(tasks: &Service, limits: Limits) -> Result<(), Failure> {
    let stands = tasks.find_queue(&limits.queue).await?;
    let new = QueueLimits {
        paused: stands.as_ref().is_some_and(|queue| queue.limits.paused),
        max_running: limits.max_running,
        max_per_key: limits.max_per_key,
        rate: limits.rate,
        key_rate: limits.key_rate,
    };
    let version = stands.map_or(0, |queue| queue.version);
    tasks.set_limits(&limits.queue, new, Some(version)).await?;
    say(format!("{}: {}", limits.queue, told(new)));
    Ok(())
}
