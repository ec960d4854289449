//! How many tasks a second this machine and its database do.

mod work;

use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Clock, Db, Scratch, SystemClock};
use cgcg_tasks::{Error, MIGRATIONS, Name, Payload, QueueName, Service, TaskCreate};
use serde_json::json;
use tokio::task::JoinSet;

use super::table;
use crate::Failure;
use crate::cli::Bench;
use crate::settings::Settings;
use work::Work;

/// Both the queue and the handler. On PostgreSQL other processes hear of the queue, and have no work in it.
const NAME: &str = "_bench";
/// Creates that are timed one by one, and tasks whose start is.
const SINGLE: usize = 200;
/// Between two of the latter.
const BEAT: Duration = Duration::from_millis(10);

/// Measures in a place of its own beside the real one, which it removes: real queues, schedules and workers have
/// nothing to do with it but the machine.
pub(super) async fn run(options: Bench, settings: &Settings) -> Result<(), Failure> {
    let scratch = Scratch::make(&settings.database, "cgcg_bench").await?;
    let measured = measure(&scratch, &options, settings).await;
    let removed = scratch.remove().await;
    measured?.print(options.json)?;
    Ok(removed?)
}

async fn measure(
    scratch: &Scratch,
    options: &Bench,
    settings: &Settings,
) -> Result<Figures, Failure> {
    let db = Db::open(scratch.settings()).await?;
    MIGRATIONS.run(&db).await?;
    let clock = Arc::new(SystemClock::default());
    let run = Run {
        tasks: Service::new(db.clone(), clock.clone(), settings.tasks.clone()),
        clock,
    };
    let figures = run.measure(options).await;
    db.close().await;
    figures
}

#[derive(Clone)]
struct Run {
    tasks: Service,
    clock: Arc<dyn Clock>,
}

/// Times in ms as p50 and p99, and tasks a second.
struct Figures {
    create: [f64; 2],
    created: f64,
    done: f64,
    start: [f64; 2],
}

impl Figures {
    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            let times = |[p50, p99]: [f64; 2]| json!({ "p50_ms": p50, "p99_ms": p99 });
            return table::json(&json!({
                "create": times(self.create), "created_per_s": self.created, "done_per_s": self.done,
                "create_to_start": times(self.start),
            }));
        }
        let times = |[p50, p99]: [f64; 2]| format!("p50 {p50:.1} ms, p99 {p99:.1} ms");
        let rate = |rate: f64| format!("{rate:.0} a second");
        let rows = [
            ["create, one by one", &times(self.create)],
            ["create, all clients", &rate(self.created)],
            ["create, run and complete", &rate(self.done)],
            ["create to start, 100 a second", &times(self.start)],
        ];
        table::print(["what", "figure"], &rows.map(|row| row.map(str::to_owned)));
        Ok(())
    }
}

impl Run {
    async fn measure(&self, options: &Bench) -> Result<Figures, Failure> {
        let create = self.one_by_one().await?;
        let tasks = SINGLE + options.tasks;
        let begun = self.clock.monotonic();
        let work = Work::start(&self.tasks, &self.clock, options.slots);
        self.all(options).await?;
        let created = options.tasks as f64 / self.seconds(begun);
        work.end(tasks).await?;
        let done = tasks as f64 / self.seconds(begun);
        let work = Work::start(&self.tasks, &self.clock, options.slots);
        for _ in 0..SINGLE {
            self.create().await?;
            self.clock.sleep(BEAT).await;
        }
        let start = quantiles(work.end(SINGLE).await?);
        Ok(Figures {
            create,
            created,
            done,
            start,
        })
    }

    fn seconds(&self, since: Duration) -> f64 {
        (self.clock.monotonic() - since).as_secs_f64()
    }

    async fn create(&self) -> Result<(), Error> {
        let invalid = |field| move |invalid| Error::Invalid { field, invalid };
        let name = Name::parse(NAME).map_err(invalid("name"))?;
        let payload = Payload::of(&self.clock.monotonic()).map_err(invalid("payload"))?;
        let new = TaskCreate {
            queue: Some(QueueName::parse(NAME).map_err(invalid("queue"))?),
            ..TaskCreate::new(name, payload)
        };
        self.tasks.create(new).await.map(drop)
    }

    async fn one_by_one(&self) -> Result<[f64; 2], Failure> {
        let mut times = Vec::with_capacity(SINGLE);
        for _ in 0..SINGLE {
            let begun = self.clock.monotonic();
            self.create().await?;
            times.push(self.clock.monotonic() - begun);
        }
        Ok(quantiles(times))
    }

    /// Until each client has made its share.
    async fn all(&self, options: &Bench) -> Result<(), Failure> {
        let (tasks, clients) = (options.tasks, options.clients);
        let mut running = JoinSet::new();
        for client in 0..clients {
            let run = self.clone();
            let mine = tasks / clients + usize::from(client < tasks % clients);
            running.spawn(async move {
                for _ in 0..mine {
                    run.create().await?;
                }
                Ok::<_, Error>(())
            });
        }
        while let Some(client) = running.join_next().await {
            client??;
        }
        Ok(())
    }
}

/// Median and 99th hundredth, in ms.
fn quantiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|part| {
        let at = times.len() * part / 100;
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    })
}
