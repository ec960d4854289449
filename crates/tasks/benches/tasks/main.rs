//! How many tasks a second, and how soon: `cargo bench -p cgcg-tasks --bench tasks -- [postgres] [FIGURE…]`, where a
//! figure is `lone`, `cycle`, `latency`, `status` or `piles`; all where none is named.
//!
//! One JSON line per figure. SQLite runs with `synchronous = FULL` in a file below `target`, PostgreSQL with fsync.

mod piles;
mod status;
mod work;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Clock, Db, SystemClock};
use cgcg_tasks::{Handlers, MIGRATIONS, Service, Settings};
use cgcg_testkit::PostgresServer;
use serde_json::json;
use work::{PAYLOAD, Work, task};

/// Tasks of one figure.
const TASKS: usize = 30_000;
const FIGURES: [&str; 5] = ["lone", "cycle", "latency", "status", "piles"];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // Cargo adds `--bench`.
    let words = arguments
        .iter()
        .map(String::as_str)
        .filter(|word| !word.starts_with("--"));
    let (postgres, named): (Vec<&str>, Vec<&str>) = words.partition(|word| *word == "postgres");
    let postgres = !postgres.is_empty();
    let unknown = named.iter().find(|name| !FIGURES.contains(name));
    assert!(unknown.is_none(), "{unknown:?} is none of {FIGURES:?}");
    let figures = if named.is_empty() {
        &FIGURES[..]
    } else {
        &named
    };
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let folder = tempfile(Path::new(env!("CARGO_TARGET_TMPDIR")));
    let server = postgres.then(|| PostgresServer::start().expect("PostgreSQL"));
    let url = match &server {
        Some(server) => server.url("postgres"),
        None => format!("sqlite:{}/bench.db", folder.display()),
    };
    runtime.block_on(async {
        let db = Db::connect(&url).await.expect("a database");
        MIGRATIONS.run(&db).await.expect("the tables");
        let bench = Bench {
            clock: Arc::new(SystemClock::default()),
            tasks: Service::new(
                db.clone(),
                Arc::new(SystemClock::default()),
                Settings::default(),
            ),
            db: db.clone(),
        };
        for figure in figures {
            match *figure {
                "lone" => bench.lone(&folder).await,
                "cycle" => bench.cycles().await,
                "latency" => bench.latency().await,
                "status" => bench.status().await,
                _ => bench.piles().await,
            }
        }
        db.close().await;
    });
    std::fs::remove_dir_all(folder).expect("our own folder");
}

fn tempfile(parent: &Path) -> std::path::PathBuf {
    let folder = parent.join(format!("tasks-{}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("a writable folder");
    folder
}

struct Bench {
    clock: Arc<SystemClock>,
    tasks: Service,
    db: Db,
}

impl Bench {
    /// What the disk takes for one write that is kept: the least that a lone create can take.
    fn sync(&self, folder: &Path) {
        let mut times = Vec::new();
        let file = std::fs::File::create(folder.join("sync")).expect("a file");
        for _ in 0..200 {
            let start = self.clock.monotonic();
            std::io::Write::write_all(&mut &file, &[0; 4_096]).expect("space");
            file.sync_data().expect("a disk");
            times.push(self.clock.monotonic() - start);
        }
        self.quantiles("fsync", 1, times);
    }

    async fn lone(&self, folder: &Path) {
        self.sync(folder);
        let mut times = Vec::new();
        for _ in 0..500 {
            let start = self.clock.monotonic();
            let made = self.tasks.create(task("idle", "none")).await;
            made.expect("a task");
            times.push(self.clock.monotonic() - start);
        }
        self.quantiles("lone_create", 1, times);
    }

    async fn cycles(&self) {
        for creators in [64, 256, 1_000] {
            let seconds = self.creators(creators, "idle").await;
            self.rate("create", creators, seconds);
            self.cycle(creators).await;
        }
    }

    /// Create, claim and complete, until the last is done.
    async fn cycle(&self, creators: usize) {
        let (work, done) = Work::count(&self.tasks, "default", TASKS);
        let start = self.clock.monotonic();
        self.creators(creators, "default").await;
        done.wait().await;
        self.rate(
            "cycle",
            creators,
            (self.clock.monotonic() - start).as_secs_f64(),
        );
        work.end().await;
    }

    /// From before the create until the handler runs, at 500 a second.
    async fn latency(&self) {
        let (send, mut seen) = tokio::sync::mpsc::unbounded_channel();
        let clock = self.clock.clone();
        let handlers = Handlers::new().on_name("late", move |_, payload| {
            let start: f64 = payload.read().unwrap_or_default();
            let _ = send.send(clock.monotonic().as_secs_f64() - start);
            async { Ok(None) }
        });
        let work = Work::start(&self.tasks, "default", handlers);
        for _ in 0..2_000 {
            let tasks = self.tasks.clone();
            let start = self.clock.monotonic().as_secs_f64();
            tokio::spawn(async move { tasks.create_task("late", &start).await.expect("a task") });
            self.clock.sleep(Duration::from_millis(2)).await;
        }
        let mut times = Vec::new();
        while times.len() < 2_000 {
            let time: f64 = seen.recv().await.expect("a worker");
            times.push(Duration::from_secs_f64(time.max(0.0)));
        }
        self.quantiles("create_to_start", 1, times);
        work.end().await;
    }

    /// Seconds until all tasks are made.
    async fn creators(&self, creators: usize, queue: &'static str) -> f64 {
        let start = self.clock.monotonic();
        let mut running = tokio::task::JoinSet::new();
        for creator in 0..creators {
            let tasks = self.tasks.clone();
            let mine = TASKS / creators + usize::from(creator < TASKS % creators);
            running.spawn(async move {
                for _ in 0..mine {
                    let made = tasks.create(task(queue, "count")).await;
                    made.expect("a task");
                }
            });
        }
        while running.join_next().await.is_some() {}
        (self.clock.monotonic() - start).as_secs_f64()
    }

    fn rate(&self, figure: &str, clients: usize, seconds: f64) {
        self.print(figure, TASKS as f64 / seconds, "per_s", clients);
    }

    fn quantiles(&self, figure: &str, clients: usize, mut times: Vec<Duration>) {
        times.sort_unstable();
        for (name, part) in [("p50", 50), ("p99", 99)] {
            let time = times[(times.len() * part / 100).min(times.len() - 1)];
            self.print(
                &format!("{figure}_{name}"),
                time.as_secs_f64() * 1e3,
                "ms",
                clients,
            );
        }
    }

    fn print(&self, figure: &str, value: f64, unit: &str, clients: usize) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        println!(
            "{}",
            json!({
                "bench": "tasks", "figure": figure, "value": value, "unit": unit, "db": self.db.engine().to_string(), "sync": "full",
                "clients": clients, "payload": PAYLOAD, "load": load.split(' ').next(),
                "cpus": std::thread::available_parallelism().map_or(0, usize::from),
            })
        );
    }
}
