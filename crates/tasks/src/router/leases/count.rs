//! What workers over HTTP did, among the metrics. Their names of tasks are anybody's: all count as `other`.

use metrics::counter;

use super::runs::{LOST, Outcome};
use crate::store::lease::{Moved, Next};

pub(super) fn succeeded(held: bool) {
    ended(held.then_some("succeeded"));
}

pub(super) fn settled(moved: Option<&Moved>, next: Next) {
    let outcome = |moved: &Moved| match (moved.state, next) {
        (5, _) => "failed",
        (6, _) => "cancelled",
        (_, Next::Retry(_)) => "retried",
        (_, Next::Snooze(_)) => "snoozed",
        _ => "released",
    };
    ended(moved.map(outcome));
}

/// Those that are told so.
pub(super) fn lost(outcomes: &[Outcome]) {
    let lost = outcomes.iter().filter(|told| told.code == Some(LOST));
    counter!("cgcg_tasks_stale_refused_total").increment(lost.count() as u64);
}

fn ended(outcome: Option<&'static str>) {
    let Some(outcome) = outcome else {
        return;
    };
    counter!("cgcg_tasks_finished_total", "name" => "other", "outcome" => outcome).increment(1);
    if outcome == "retried" {
        counter!("cgcg_tasks_retried_total", "name" => "other").increment(1);
    }
}
