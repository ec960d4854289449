use serde_json::{Value, json};

use crate::drive::Seen;

/// One figure of one server, over all rounds.
pub(crate) struct Figure<'a> {
    pub(crate) work: &'a str,
    pub(crate) target: &'a str,
    pub(crate) connections: usize,
    pub(crate) rounds: Vec<Seen>,
}

impl Figure<'_> {
    /// Answers per second that were 2xx: the median of the rounds.
    pub(crate) fn rate(&self) -> f64 {
        median(self.rounds.iter().map(rate).collect())
    }

    /// The line; `first` is the figure of the server that all are compared with.
    pub(crate) fn line(&self, first: f64) -> Value {
        let sorted: Vec<Vec<u32>> = self
            .rounds
            .iter()
            .map(|round| sorted(&round.latencies))
            .collect();
        let at = |share: f64| {
            median(
                sorted
                    .iter()
                    .map(|latencies| quantile(latencies, share))
                    .collect(),
            )
        };
        let mut statuses = std::collections::BTreeMap::<String, u64>::new();
        for (status, count) in self.rounds.iter().flat_map(|round| &round.other) {
            *statuses.entry(status.to_string()).or_default() += count;
        }
        json!({
            "target": self.target,
            "work": self.work,
            "figure": round(self.rate(), 1),
            "unit": "req/s",
            "p50_ms": round(at(0.5), 3),
            "p99_ms": round(at(0.99), 3),
            "max_ms": sorted.iter().map(|latencies| quantile(latencies, 1.0)).fold(0.0, f64::max),
            "errors": self.rounds.iter().map(|round| round.errors).sum::<u64>(),
            "non2xx": statuses.values().sum::<u64>(),
            "statuses": statuses,
            "connections": self.connections,
            "seconds": round(self.rounds.iter().map(|round| round.elapsed.as_secs_f64()).sum(), 1),
            "runs": self.rounds.iter().map(|seen| round(rate(seen), 1)).collect::<Vec<_>>(),
            "ratio": if first > 0.0 { json!(round(self.rate() / first, 3)) } else { Value::Null },
        })
    }
}

fn rate(seen: &Seen) -> f64 {
    seen.latencies.len() as f64 / seen.elapsed.as_secs_f64().max(f64::EPSILON)
}

fn sorted(latencies: &[u32]) -> Vec<u32> {
    let mut sorted = latencies.to_vec();
    sorted.sort_unstable();
    sorted
}

/// In milliseconds, by the nearest rank; 0 where nothing was measured.
fn quantile(sorted: &[u32], share: f64) -> f64 {
    let rank = (share * sorted.len() as f64).ceil() as usize;
    let micros = sorted
        .get(rank.saturating_sub(1))
        .copied()
        .unwrap_or_default();
    f64::from(micros) / 1_000.0
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => values[middle],
        _ => f64::midpoint(values[middle - 1], values[middle]),
    }
}

fn round(value: f64, digits: i32) -> f64 {
    let factor = 10_f64.powi(digits);
    (value * factor).round() / factor
}
