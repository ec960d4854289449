use std::sync::Arc;
use std::time::Duration;

use cgcg_core::BoxError;
use serde_json::{Value, json};

use crate::drive::{Crowd, Seen};
use crate::figure::Figure;
use crate::options::{Options, Work};
use crate::source::{Chain, NewAccounts, Source};
use crate::target::Target;

/// Connections of `me` during a storm: enough that a slow answer does not hold up the next call.
const STORM_READERS: usize = 64;

/// Measures one work on all servers, round by round, so that what the machine does beside it falls on all alike.
pub(crate) fn measure(
    work: Work,
    targets: &[Target],
    options: &Options,
) -> Result<Vec<Value>, BoxError> {
    let warm = Duration::from_secs_f64(options.warm);
    let mut rounds: Vec<Vec<Vec<Seen>>> = targets.iter().map(|_| Vec::new()).collect();
    if !warm.is_zero() {
        for target in targets {
            run(work, target, options, warm)?;
        }
    }
    for _ in 0..options.rounds.max(1) {
        for (target, rounds) in targets.iter().zip(&mut rounds) {
            rounds.push(run(work, target, options, options.round())?);
        }
    }
    let mut lines = Vec::new();
    for (part, (name, connections)) in parts(work, options).into_iter().enumerate() {
        let mut first = None;
        for (target, rounds) in targets.iter().zip(&rounds) {
            let rounds = rounds
                .iter()
                .filter_map(|round| round.get(part).cloned())
                .collect();
            let figure = Figure {
                work: name,
                target: &target.name,
                connections,
                rounds,
            };
            let mut line = figure.line(*first.get_or_insert(figure.rate()));
            if let Some((now, most)) = target.memory_kib() {
                line["rss_kib"] = json!(now);
                line["rss_max_kib"] = json!(most);
            }
            lines.push(line);
        }
    }
    Ok(lines)
}

/// The figures of a work, in the order of what [`run`] answers.
fn parts(work: Work, options: &Options) -> Vec<(&'static str, usize)> {
    match work {
        Work::Storm => vec![
            ("storm login", options.login_connections),
            ("storm me", STORM_READERS),
        ],
        Work::Login | Work::Register => vec![(work.name(), options.login_connections)],
        Work::Health | Work::Me | Work::List | Work::Refresh => {
            vec![(work.name(), options.connections)]
        }
    }
}

fn run(
    work: Work,
    target: &Target,
    options: &Options,
    round: Duration,
) -> Result<Vec<Seen>, BoxError> {
    let (many, few) = (options.connections, options.login_connections);
    let crowd = match work {
        Work::Health => target.crowd(&target.gets("health", &[]), many),
        Work::Me => target.crowd(&target.gets("me", &target.tokens), many),
        Work::List => target.crowd(&target.gets("list", listers(target)), many),
        Work::Login => target.crowd(&target.logins(options), few),
        Work::Register => from(target, NewAccounts::over(target, &options.password, few)),
        Work::Refresh => from(target, chains(target, options)?),
        Work::Storm => return storm(target, options, round),
    };
    Ok(vec![crowd.drive(round, options.threads)?])
}

fn storm(target: &Target, options: &Options, round: Duration) -> Result<Vec<Seen>, BoxError> {
    let mut logins = target.crowd(&target.logins(options), options.login_connections);
    logins.patient = options.patient;
    let mut readers = target.crowd(&target.gets("me", &target.tokens), STORM_READERS);
    readers.rate = Some(options.rate);
    let readers = std::thread::spawn(move || readers.drive(round, 1));
    let logins = logins.drive(round, 1)?;
    Ok(vec![
        logins,
        readers
            .join()
            .map_err(|_| "a thread of the driver failed")??,
    ])
}

fn listers(target: &Target) -> &[String] {
    target
        .admin
        .as_ref()
        .map_or(&target.tokens, std::slice::from_ref)
}

fn from(target: &Target, sources: Vec<Box<dyn Source>>) -> Crowd {
    Crowd {
        address: target.address,
        sources,
        rate: None,
        patient: false,
    }
}

fn chains(target: &Target, options: &Options) -> Result<Vec<Box<dyn Source>>, BoxError> {
    let shared = Arc::new(target.clone());
    let tokens = target.refresh_tokens(options, options.connections)?;
    Ok(tokens
        .iter()
        .map(|token| Box::new(Chain::new(shared.clone(), token)) as Box<dyn Source>)
        .collect())
}
