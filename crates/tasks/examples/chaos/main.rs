//! Kills, freezes and starves worker processes and their database while they work, then reads what they noted and
//! what is stored, and says whether the promise held. Ends with 1 where it did not.
//!
//! ```text
//! cargo run -p cgcg-tasks --example chaos -- sqlite 4000 25
//! cargo run -p cgcg-tasks --example chaos -- postgres 4000 25
//! ```
//!
//! Tasks, and seconds of faults. PostgreSQL is one of its own, in a temporary folder, and is killed too. A third
//! number is the seed of chance. It takes at most 150 s longer than the faults.
#![expect(
    clippy::disallowed_methods,
    reason = "a driver reads its arguments and measures real time"
)]

mod control;
mod fault;
mod ledger;
mod verdict;
mod worker;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use cgcg_core::{Db, Span};
use cgcg_tasks::{MIGRATIONS, Service, Settings, TaskCreate, TaskId};
use cgcg_testkit::PostgresServer;
use serde_json::json;
use tokio_util::sync::CancellationToken;

use control::{Control, SkewedClock};
use fault::{Faults, Workers};

type Failure = Box<dyn Error + Send + Sync>;

/// Worker processes.
const WORKERS: usize = 3;
/// Tasks that kill whoever runs them.
const POISON: usize = 3;
const POISON_ATTEMPTS: u32 = 3;
/// After the faults all tasks end within this.
const DRAIN: Duration = Duration::from_secs(120);

fn main() -> Result<ExitCode, Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let texts: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let runtime = tokio::runtime::Runtime::new()?;
    match texts[..] {
        ["--worker", url, folder] => {
            runtime.block_on(worker::run(url, Path::new(folder)))?;
            Ok(ExitCode::SUCCESS)
        }
        [db, tasks, seconds] => runtime.block_on(chaos(db, tasks.parse()?, seconds.parse()?, 1)),
        [db, tasks, seconds, seed] => {
            runtime.block_on(chaos(db, tasks.parse()?, seconds.parse()?, seed.parse()?))
        }
        _ => Err("usage: chaos <sqlite|postgres> <tasks> <seconds of faults> [seed]".into()),
    }
}

/// Short leases, so that a run of seconds sees many of them end.
fn settings() -> Settings {
    Settings {
        lease: Span::seconds(6),
        beat: Span::seconds(2),
        backoff_base: Span::millis(100),
        poll: Span::millis(500),
        shutdown_grace: Span::seconds(5),
        ..Settings::default()
    }
}

async fn open(url: &str, control: &Control) -> Result<(Db, Service), Failure> {
    let db = Db::connect(url).await?;
    let clock = Arc::new(SkewedClock::new(control.clone()));
    Ok((db.clone(), Service::new(db, clock, settings())))
}

async fn chaos(engine: &str, tasks: usize, seconds: u64, seed: u64) -> Result<ExitCode, Failure> {
    let folder = folder()?;
    let server = match engine {
        "postgres" => Some(PostgresServer::start().ok_or("no PostgreSQL is installed")?),
        "sqlite" => None,
        _ => return Err("expected sqlite or postgres".into()),
    };
    let url = match &server {
        Some(server) => server.url("postgres"),
        None => format!("sqlite:{}/chaos.db", folder.display()),
    };
    let control = Control::new(&folder);
    let (db, service) = open(&url, &control).await?;
    MIGRATIONS.run(&db).await?;
    verdict::prepare(&db).await?;
    let stop = CancellationToken::new();
    let tends = tokio::spawn({
        let (service, stop) = (service.clone(), stop.clone());
        async move { service.maintain_until(stop).await }
    });
    let workers = Workers::start(&url, &folder, WORKERS)?;
    let server = Arc::new(Mutex::new(server));
    let mut faults = Faults::new(workers, server.clone(), db.clone(), control, seed);
    let until = Instant::now() + Duration::from_secs(seconds);
    let (made, ()) = tokio::join!(make(&service, tasks, seconds), faults.until(until));
    let ended = drained(&db, &mut faults, Instant::now() + DRAIN).await;
    let log = faults.end().await;
    stop.cancel();
    tends.await?;
    let holds = verdict::tell(&service, &db, &folder, &made, &log, ended).await?;
    db.close().await;
    drop(server);
    if holds {
        std::fs::remove_dir_all(&folder)?;
        return Ok(ExitCode::SUCCESS);
    }
    println!("what they noted stays in {}", folder.display());
    Ok(ExitCode::FAILURE)
}

fn folder() -> Result<PathBuf, Failure> {
    let folder = std::env::temp_dir().join(format!("cgcg-chaos-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

/// What was stored for sure.
struct Made {
    tasks: Vec<TaskId>,
    poison: Vec<TaskId>,
}

/// Makes tasks in small batches all the time of the faults. What was not stored, or perhaps, is tried again with the
/// same unique keys.
async fn make(service: &Service, tasks: usize, seconds: u64) -> Made {
    let mut made = Made {
        tasks: Vec::new(),
        poison: Vec::new(),
    };
    for number in 0..POISON {
        let new = TaskCreate {
            max_attempts: Some(POISON_ATTEMPTS),
            ..new("poison", &format!("poison-{number}"))
        };
        made.poison.extend(create(service, vec![new]).await);
    }
    // What takes time is one of so many: the workers do some 200 of them a second.
    let slow = (tasks / usize::try_from(200 * seconds).unwrap_or(1).max(1)).max(1);
    let batches = (seconds * 10).max(1);
    let size = tasks.div_ceil(usize::try_from(batches).unwrap_or(1)).max(1);
    for first in (0..tasks).step_by(size) {
        let batch = (first..tasks.min(first + size)).map(|number| {
            let kind = match (number % slow, number / slow % 4) {
                (0, 0) => "effect",
                (0, _) => "work",
                _ => "quick",
            };
            new(kind, &format!("{kind}-{number}"))
        });
        made.tasks.extend(create(service, batch.collect()).await);
        tokio::time::sleep(Duration::from_millis(90)).await;
    }
    made
}

fn new(name: &str, key: &str) -> TaskCreate {
    let payload = cgcg_tasks::Payload::of(&json!({ "key": key })).expect("JSON");
    TaskCreate {
        unique_key: Some(key.to_owned()),
        max_attempts: Some(100),
        ..TaskCreate::new(name.parse().expect("a name"), payload)
    }
}

async fn create(service: &Service, batch: Vec<TaskCreate>) -> Vec<TaskId> {
    loop {
        match service.create_many(batch.clone()).await {
            Ok(made) => return made.iter().map(|made| made.id).collect(),
            Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
        }
    }
}

/// Whether nothing waits or runs any more before the time is over.
async fn drained(db: &Db, faults: &mut Faults, until: Instant) -> bool {
    while Instant::now() < until {
        faults.heal();
        if matches!(verdict::open(db).await, Ok(0)) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    false
}
