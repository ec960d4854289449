//! One queue of a benchmark that compares several: the driver starts this program for each part of the work.
//!
//! `compare URL FOLDER SLOTS LATE` and one of `reset`, `enqueue one N`, `enqueue par N CLIENTS`, `enqueue batch N SIZE`,
//! `work`, `produce RATE SECONDS`, `pending`. What makes tasks prints `{"n": tasks, "s": seconds}`. `work` takes `SLOTS`
//! tasks at once until SIGTERM, and keeps count in `FOLDER`, see [`stats::Stats`].

mod stats;

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Clock, Db, Engine, SystemClock, on};
use cgcg_tasks::{Handlers, MIGRATIONS, Payload, Service, Settings, TaskCreate, TaskError, Worker};
use serde::{Deserialize, Serialize};
use serde_json::json;
use stats::Stats;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

type Failure = Box<dyn Error + Send + Sync>;

const USAGE: &str = "compare URL FOLDER SLOTS LATE COMMAND; see the head of its source";

#[derive(Serialize)]
struct Mail {
    /// Unix time just before it was made, in seconds.
    t: f64,
    i: usize,
    to: String,
    subject: &'static str,
    template: &'static str,
}

#[derive(Deserialize)]
struct Sent {
    t: f64,
}

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [url, folder, places, late, ref command @ ..] = words[..] else {
        return Err(USAGE.into());
    };
    let (slots, prefetch) = places.split_once('+').unwrap_or((places, "0"));
    if let (["reset"], Some(file)) = (command, url.strip_prefix("sqlite:")) {
        empty(file)?;
    }
    let db = Db::connect(url).await?;
    let clock = Arc::new(SystemClock::default());
    let settings = Settings {
        prefetch: prefetch.parse()?,
        ..Settings::default()
    };
    let tasks = Service::new(db.clone(), clock.clone(), settings);
    let bench = Bench { tasks, clock };
    match *command {
        ["reset"] => reset(&db).await?,
        ["enqueue", "one", n] => bench.enqueue(n.parse()?, 1, 1).await?,
        ["enqueue", "par", n, clients] => bench.enqueue(n.parse()?, clients.parse()?, 1).await?,
        ["enqueue", "batch", n, size] => bench.enqueue(n.parse()?, 1, size.parse()?).await?,
        ["produce", rate, seconds] => bench.produce(rate.parse()?, seconds.parse()?).await?,
        ["work"] => {
            bench
                .work(Path::new(folder), slots.parse()?, late == "1")
                .await?
        }
        ["pending"] => {
            let loads = bench.tasks.queue_loads().await?;
            let left: u64 = loads.values().map(|load| load.ready + load.running).sum();
            println!("{left}");
        }
        _ => return Err(USAGE.into()),
    }
    db.close().await;
    Ok(())
}

fn empty(file: &str) -> std::io::Result<()> {
    for end in ["", "-wal", "-shm"] {
        match std::fs::remove_file(format!("{file}{end}")) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

async fn reset(db: &Db) -> Result<(), Failure> {
    let all = ["drop schema public cascade", "create schema public"];
    for sql in all.iter().filter(|_| db.engine() == Engine::Postgres) {
        let mut conn = db.begin().await?;
        on!(&mut conn, |c| sqlx::query(*sql).execute(c).await.map(drop))?;
        conn.commit().await?;
    }
    Ok(MIGRATIONS.run(db).await?)
}

#[derive(Clone)]
struct Bench {
    tasks: Service,
    clock: Arc<SystemClock>,
}

impl Bench {
    /// Unix time.
    fn seconds(&self) -> f64 {
        self.clock.now().micros() as f64 / 1e6
    }

    fn mail(&self, i: usize) -> Result<TaskCreate, Failure> {
        let mail = Mail {
            t: self.seconds(),
            i,
            to: format!("user{i}@example.com"),
            subject: "Welcome",
            template: "welcome-mail-v2",
        };
        Ok(TaskCreate::new("mail".parse()?, Payload::of(&mail)?))
    }

    /// `n` tasks, by so many clients at once, in calls of `size`.
    async fn enqueue(&self, n: usize, clients: usize, size: usize) -> Result<(), Failure> {
        // Connected, and known to the database.
        self.tasks.queue_loads().await?;
        let start = self.clock.monotonic();
        let mut running = JoinSet::<Result<(), Failure>>::new();
        for client in 0..clients {
            let bench = self.clone();
            running.spawn(async move {
                for first in (client * size..n).step_by(clients * size) {
                    let list = (first..n.min(first + size)).map(|i| bench.mail(i));
                    let list = list.collect::<Result<_, _>>()?;
                    bench.tasks.create_many(list).await?;
                }
                Ok(())
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        let time = (self.clock.monotonic() - start).as_secs_f64();
        println!("{}", json!({ "n": n, "s": time }));
        Ok(())
    }

    async fn produce(&self, rate: usize, seconds: usize) -> Result<(), Failure> {
        let start = self.clock.monotonic();
        for i in 0..rate * seconds {
            let due = start + Duration::from_secs_f64(i as f64 / rate as f64);
            let wait = due.saturating_sub(self.clock.monotonic());
            self.clock.sleep(wait).await;
            self.tasks.create(self.mail(i)?).await?;
        }
        Ok(())
    }

    async fn work(self, folder: &Path, slots: u16, late: bool) -> Result<(), Failure> {
        let stats = Arc::new(Stats::start(self.clock.clone(), folder, late)?);
        let bench = self.clone();
        let handlers = Handlers::new().on_name("mail", move |_, payload| {
            let begun = bench.seconds();
            let sent = payload.read::<Sent>();
            stats.one(begun, sent.as_ref().map_or(0.0, |sent| begun - sent.t));
            async { sent.map(|_| None).map_err(TaskError::dead) }
        });
        let stop = CancellationToken::new();
        let (ended, mut term) = (stop.clone(), signal(SignalKind::terminate())?);
        tokio::spawn(async move {
            term.recv().await;
            ended.cancel();
        });
        let worker = Worker::new(self.tasks, handlers).queue("default", slots);
        Ok(worker.run_until(stop).await?)
    }
}
