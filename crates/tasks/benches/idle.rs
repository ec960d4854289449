//! What an idle worker costs. `cargo bench -p cgcg-tasks --bench idle`; it takes a minute for each database.
//!
//! One JSON line per figure: statements that PostgreSQL logs, transactions among them, and time of the processor.
//! Looks at the number of the file on SQLite read no table and are no statements of this count.

use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{Clock, Db, SystemClock, on};
use cgcg_tasks::{Handlers, MIGRATIONS, Service, Settings, Worker};
use cgcg_testkit::PostgresServer;
use serde_json::json;
use tokio_util::sync::CancellationToken;

const TIME: Duration = Duration::from_secs(60);

fn main() {
    let folder = cgcg_testkit::folder();
    let file = format!("sqlite:{}/idle.db", folder.path().display());
    let server = PostgresServer::start().expect("PostgreSQL");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        measure(&file).await;
        measure(&server.url("postgres")).await;
    });
}

async fn measure(url: &str) {
    let db = Db::connect(url).await.expect("a database");
    MIGRATIONS.run(&db).await.expect("the tables");
    let postgres = url.starts_with("postgres");
    if postgres {
        execute(&db, "alter system set log_statement = 'all'").await;
        execute(&db, "select pg_reload_conf()").await;
    }
    let clock = Arc::new(SystemClock::default());
    let tasks = Service::new(db.clone(), clock.clone(), Settings::default());
    let handlers = Handlers::new().on_name("n", |_, _| async { Ok(None) });
    let stop = CancellationToken::new();
    let works = tokio::spawn(Worker::new(tasks, handlers).run_until(stop.clone()));
    // What a start costs is over then.
    clock.sleep(Duration::from_secs(10)).await;
    let (statements, processor) = (statements(&db, postgres).await, processor());
    clock.sleep(TIME).await;
    let used = self::processor() - processor;
    let engine = db.engine().to_string();
    let per_s = |count: f64| count / TIME.as_secs_f64();
    if postgres {
        let asked = self::statements(&db, postgres).await;
        print(
            &engine,
            "idle_statements",
            per_s(asked.0 - statements.0),
            "per_s",
        );
        print(
            &engine,
            "idle_begins_and_commits",
            per_s(asked.1 - statements.1),
            "per_s",
        );
    }
    print(&engine, "idle_processor", 100.0 * per_s(used), "percent");
    stop.cancel();
    works.await.expect("no panic").expect("a worker");
    db.close().await;
}

fn print(db: &str, figure: &str, value: f64, unit: &str) {
    println!(
        "{}",
        json!({ "bench": "idle", "figure": figure, "value": value, "unit": unit, "db": db })
    );
}

async fn execute(db: &Db, sql: &'static str) {
    let mut conn = db.read().await.expect("a connection");
    on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop)).expect("a statement");
}

/// How many statements the log holds, and how many of them begin and end transactions.
async fn statements(db: &Db, postgres: bool) -> (f64, f64) {
    if !postgres {
        return (0.0, 0.0);
    }
    let sql = "select pg_read_file(current_setting('data_directory') || '/../log')";
    let mut conn = db.read().await.expect("a connection");
    let log: String =
        on!(&mut conn, |c| sqlx::query_scalar(sql).fetch_one(c).await).expect("the log");
    let lines = log
        .lines()
        .filter(|line| line.contains("LOG:  statement:") || line.contains("LOG:  execute "));
    // Nothing is executed for the sign of life that the pool asks of a connection that rested.
    let lines: Vec<_> = lines.filter(|line| !line.contains("SQLx ping")).collect();
    let frames = lines.iter().filter(|line| {
        let line = line.to_lowercase();
        line.contains(": begin") || line.contains(": commit")
    });
    (lines.len() as f64, frames.count() as f64)
}

/// Seconds that this process has used.
fn processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(')')
        .next()
        .unwrap_or_default()
        .split_whitespace();
    let ticks: f64 = fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum();
    // A tick of Linux is a hundredth.
    ticks / 100.0
}
