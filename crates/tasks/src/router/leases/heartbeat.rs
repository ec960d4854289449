use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use actix_web::HttpResponse;
use actix_web::web::Data;
use cgcg_web::{Json, Problem, RequireScope};
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::request::{ttl, worker};
use super::runs::{Claimed, LOST, Outcome, Outcomes, runs, storable};
use crate::batch::BeatItem;
use crate::router::shapes::Progress;
use crate::scopes::Work;
use crate::store::lease::{Beat, Beaten};
use crate::{Error, Host, TaskId};

/// The largest progress, in bytes.
const PROGRESS: usize = 4_096;
/// Longest text of a progress, in bytes.
const MESSAGE: usize = 1_024;
/// Beats in one statement.
const BATCH: usize = 200;

/// Signs of life.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseHeartbeat, example = json!({
    "worker": "w-1",
    "items": [{ "id": "01a21a40-5f4c-7c10-8a5b-1b1f6f0e7d11", "lease": 1, "progress": { "pct": 40, "msg": "rendering" } }],
}))]
pub(in crate::router) struct Heartbeat {
    /// As it was when the tasks were taken.
    worker: String,
    /// For how long from now, in seconds; `tasks.lease` of the settings where absent, also where the lease was longer.
    #[schema(minimum = 5, maximum = 600)]
    ttl_s: Option<i64>,
    /// At most 1,000.
    #[schema(max_items = 1_000)]
    items: Vec<HeartbeatItem>,
}

/// A sign of life.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = LeaseHeartbeatItem)]
pub(in crate::router) struct HeartbeatItem {
    /// The task.
    #[schema(value_type = String, format = "uuid")]
    id: TaskId,
    /// As it was answered.
    lease: i64,
    /// What is new; at most 4 KiB.
    progress: Option<Progress>,
}

impl Claimed for HeartbeatItem {
    fn id(&self) -> TaskId {
        self.id
    }

    fn lease(&self) -> i64 {
        self.lease
    }
}

impl HeartbeatItem {
    /// Progress as it is stored.
    fn progress(&self) -> Result<Option<Value>, &'static str> {
        let Some(progress) = &self.progress else {
            return Ok(None);
        };
        if progress.pct.is_some_and(|pct| !(0..=100).contains(&pct)) {
            return Err("out_of_range");
        }
        let json = serde_json::to_value(progress).map_err(|_| "payload_invalid")?;
        if !storable(&json) {
            return Err("text_invalid");
        }
        let long = progress
            .msg
            .as_ref()
            .is_some_and(|text| text.len() > MESSAGE);
        match long || json.to_string().len() > PROGRESS {
            true => Err("payload_too_large"),
            false => Ok(Some(json)),
        }
    }
}

/// Say that tasks are still worked on, and how far they are.
///
/// An item whose `code` is `lease_lost` was taken away; one whose progress does not fit is not renewed either.
#[utoipa::path(
    post,
    path = "/api/v1/leases/heartbeat",
    tag = "tasks",
    request_body = Heartbeat,
    responses(
        (status = 200, body = Outcomes, description = "For each: `cancel`; or a `code`: `lease_lost`, `storage_busy` (ask again), `out_of_range`, `payload_too_large`, `text_invalid`."),
        (status = 413, description = "`batch_too_large`"),
        (status = 422, description = "`worker_invalid`, `out_of_range`"),
    ),
    security(("oauth2" = ["tasks:work"]))
)]
pub(in crate::router) async fn renew_leases(
    host: Data<Host>,
    caller: RequireScope<Work>,
    beats: Json<Heartbeat>,
) -> Result<HttpResponse, Problem> {
    let Heartbeat {
        worker: own,
        ttl_s,
        items,
    } = beats.0;
    let (worker, ttl) = (worker(&caller, &own)?, ttl(&host, ttl_s)?);
    let runs = runs(&host, &worker, &items).await?;
    let beats = runs.iter().zip(&items).filter_map(|(run, item)| {
        Some(Beat {
            fence: run.as_ref()?.fence(),
            progress: item.progress().ok()?,
        })
    });
    let beaten = beat(&host, &worker, ttl, beats.collect()).await?;
    let outcomes = runs.iter().zip(&items).map(|(run, item)| {
        if let Err(code) = item.progress() {
            return Outcome::refused(item.id, code);
        }
        match run.as_ref().and_then(|run| beaten.get(&run.seq)) {
            None => Outcome::refused(item.id, LOST),
            Some(row) if !row.renewed => Outcome::refused(item.id, "storage_busy"),
            Some(row) => Outcome {
                cancel: Some(row.cancel_requested),
                ..Outcome::done(item.id)
            },
        }
    });
    let items = outcomes.collect();
    Ok(HttpResponse::Ok().json(Outcomes { items }))
}

async fn beat(
    host: &Host,
    worker: &Arc<str>,
    lease: Duration,
    beats: Vec<Beat>,
) -> Result<HashMap<i64, Beaten>, Error> {
    let mut beaten = HashMap::new();
    for beats in beats.chunks(BATCH) {
        let item = BeatItem {
            worker: worker.clone(),
            lease,
            beats: beats.to_vec(),
        };
        let rows = host.tasks().beat(item).await?;
        beaten.extend(rows.into_iter().map(|row| (row.seq, row)));
    }
    Ok(beaten)
}
