//! How fast the database of this program does tasks, on this machine.

mod work;

use std::sync::Arc;
use std::time::Duration;

use cgcg_core::Clock;
use cgcg_tasks::{Error, Name, Payload, QueueName, Service, TaskCreate};
use serde_json::json;
use tokio::task::{JoinError, JoinSet};

use super::pick::pick;
use super::table;
use crate::Failure;
use crate::cli::{Bench, Pick};
use work::Work;

/// Both the queue and the handler: no worker but ours takes from it.
const NAME: &str = "cgcg.bench";
/// Creates that are timed one by one, and tasks whose start is.
const SINGLE: usize = 200;
/// Between two of the latter.
const BEAT: Duration = Duration::from_millis(10);
/// Deletions at once.
const DELETES: usize = 64;

pub(super) async fn run(
    tasks: &Service,
    clock: Arc<dyn Clock>,
    options: Bench,
) -> Result<(), Failure> {
    if tasks.queue_loads().await?.contains_key(NAME) {
        return Err(format!(
            "the queue {NAME} has tasks: another bench runs, or one was killed; then first: \
             cgcg tasks cancel --queue {NAME} --yes"
        )
        .into());
    }
    let run = Run {
        tasks: tasks.clone(),
        clock,
    };
    let measured = run.measure(&options).await;
    // Also after a failure.
    run.clean().await?;
    measured?.print(options.json)
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
    run: f64,
    start: [f64; 2],
}

impl Figures {
    fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            let times = |[p50, p99]: [f64; 2]| json!({ "p50_ms": p50, "p99_ms": p99 });
            return table::json(&json!({
                "create": times(self.create), "created_per_s": self.created, "run_per_s": self.run,
                "create_to_start": times(self.start),
            }));
        }
        let times = |[p50, p99]: [f64; 2]| format!("p50 {p50:.1} ms, p99 {p99:.1} ms");
        let rows = [
            ["create, one by one", &times(self.create)],
            [
                "create, all clients",
                &format!("{:.0} a second", self.created),
            ],
            [
                "create and run, all clients",
                &format!("{:.0} a second", self.run),
            ],
            ["create to start, 100 a second", &times(self.start)],
        ];
        table::print(["what", "figure"], &rows.map(|row| row.map(str::to_owned)));
        Ok(())
    }
}

impl Run {
    async fn measure(&self, options: &Bench) -> Result<Figures, Failure> {
        let create = self.one_by_one().await?;
        let begun = self.clock.monotonic();
        let work = Work::start(
            &self.tasks,
            &self.clock,
            options.slots,
            SINGLE + options.tasks,
        );
        self.all(options).await?;
        let created = options.tasks as f64 / (self.clock.monotonic() - begun).as_secs_f64();
        work.begun().await;
        let seconds = (self.clock.monotonic() - begun).as_secs_f64();
        let run = (SINGLE + options.tasks) as f64 / seconds;
        for _ in 0..SINGLE {
            self.create().await?;
            self.clock.sleep(BEAT).await;
        }
        let start = quantiles(work.end(SINGLE).await?);
        Ok(Figures {
            create,
            created,
            run,
            start,
        })
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

    /// Until all clients have made their share.
    async fn all(&self, options: &Bench) -> Result<(), Failure> {
        let mut clients = JoinSet::new();
        for client in 0..options.clients {
            let (run, all, clients_all) = (self.clone(), options.tasks, options.clients);
            let mine = all / clients_all + usize::from(client < all % clients_all);
            clients.spawn(async move {
                for _ in 0..mine {
                    run.create().await?;
                }
                Ok(())
            });
        }
        ended(&mut clients, 0).await
    }

    /// Removes what it made.
    async fn clean(&self) -> Result<(), Failure> {
        let queue = Pick {
            state: None,
            queue: QueueName::parse(NAME).ok(),
            name: None,
            since: None,
        };
        let left = pick(&self.tasks, &*self.clock, queue, usize::MAX, |_| true).await?;
        let mut deletes = JoinSet::new();
        for task in left {
            let tasks = self.tasks.clone();
            deletes.spawn(async move {
                if !task.state.ended() {
                    tasks.cancel(task.id).await?;
                }
                tasks.delete(task.id).await
            });
            ended(&mut deletes, DELETES).await?;
        }
        ended(&mut deletes, 0).await
    }
}

/// Until no more than `left` are under way.
async fn ended(running: &mut JoinSet<Result<(), Error>>, left: usize) -> Result<(), Failure> {
    while running.len() > left
        && let Some(outcome) = running.join_next().await
    {
        outcome.map_err(|error: JoinError| Failure::from(error))??;
    }
    Ok(())
}

/// Median and 99th hundredth, in ms.
fn quantiles(mut times: Vec<Duration>) -> [f64; 2] {
    times.sort_unstable();
    [50, 99].map(|part| {
        let at = times.len() * part / 100;
        times.get(at).map_or(0.0, |time| time.as_secs_f64() * 1e3)
    })
}
