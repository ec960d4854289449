use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use cgcg_core::{Clock, Conn, Db, SystemClock, on};
use cgcg_testkit::PostgresServer;
use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::control::{Control, Orders};
use crate::worker::limit;

/// The longest sleep of a frozen worker: past the end of its lease, and the next execution of its tasks.
const FROZEN: Duration = Duration::from_secs(14);

/// Worker processes; one that ends is started again.
pub(crate) struct Workers {
    url: String,
    folder: PathBuf,
    running: Vec<Child>,
}

impl Drop for Workers {
    /// Where a run ends early, nobody stays behind.
    fn drop(&mut self) {
        for child in &mut self.running {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Workers {
    pub(crate) fn start(url: &str, folder: &Path, count: usize) -> Result<Self, Failure> {
        let mut workers = Self {
            url: url.to_owned(),
            folder: folder.to_owned(),
            running: Vec::new(),
        };
        for _ in 0..count {
            let child = workers.spawn()?;
            workers.running.push(child);
        }
        Ok(workers)
    }

    fn spawn(&self) -> Result<Child, Failure> {
        let mut command = Command::new(std::env::current_exe()?);
        let log = self.folder.join("workers.log");
        let log = std::fs::File::options()
            .create(true)
            .append(true)
            .open(log)?;
        command
            .args(["--worker", &self.url])
            .arg(&self.folder)
            .stderr(log);
        Ok(command.spawn()?)
    }

    /// How much each has noted, in bytes.
    fn noted(&self) -> Vec<u64> {
        let noted = self.running.iter().map(|child| {
            let ledger = self.folder.join(format!("ledger-{}", child.id()));
            std::fs::metadata(ledger).map_or(0, |ledger| ledger.len())
        });
        noted.collect()
    }

    /// Starts those again that have ended by themselves, or were killed.
    fn mend(&mut self) -> usize {
        let mut ended = 0;
        for index in 0..self.running.len() {
            if let Ok(Some(_)) = self.running[index].try_wait()
                && let Ok(new) = self.spawn()
            {
                self.running[index] = new;
                ended += 1;
            }
        }
        ended
    }
}

/// What was done, with the real time in microseconds.
#[derive(Debug, Default)]
pub(crate) struct Log {
    pub(crate) kills: Vec<(u32, i64)>,
    /// When something was wrong that may hold up a rescue.
    pub(crate) disturbed: Vec<(i64, i64)>,
    pub(crate) counts: std::collections::BTreeMap<&'static str, usize>,
}

pub(crate) struct Faults {
    workers: Workers,
    server: Arc<Mutex<Option<PostgresServer>>>,
    db: Db,
    control: Control,
    chance: u64,
    log: Log,
}

impl Faults {
    pub(crate) fn new(
        workers: Workers,
        server: Arc<Mutex<Option<PostgresServer>>>,
        db: Db,
        control: Control,
        seed: u64,
    ) -> Self {
        Self {
            workers,
            server,
            db,
            control,
            chance: seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1,
            log: Log::default(),
        }
    }

    /// Xorshift: the same seed gives the same order of faults.
    fn chance(&mut self, most: usize) -> usize {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        usize::try_from(self.chance % most as u64).unwrap_or_default()
    }

    /// One fault after the other; first each kind once.
    pub(crate) async fn until(&mut self, until: Instant) {
        let postgres = self.db.engine() == cgcg_core::Engine::Postgres;
        let kinds: &[&'static str] = match postgres {
            true => &["kill", "freeze", "restart", "terminate", "pool", "clock"],
            false => &["kill", "freeze", "clock", "full", "pool"],
        };
        // The first kill is undisturbed, and of one that works: it shows how long a rescue takes.
        while Instant::now() < until && self.workers.noted().contains(&0) {
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.heal();
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        self.fault("kill").await;
        tokio::time::sleep(Duration::from_secs(11)).await;
        let mut turn = 1;
        while Instant::now() < until {
            let kind = kinds.get(turn).copied();
            let kind = kind.unwrap_or_else(|| kinds[self.chance(kinds.len())]);
            turn += 1;
            self.fault(kind).await;
            let pause = 300 + self.chance(700);
            tokio::time::sleep(Duration::from_millis(pause as u64)).await;
            self.heal();
        }
        // What was put off by a clock that showed too late a time waits for that time. It comes now.
        self.control.order(Orders {
            skew_s: 7_200,
            ..Orders::default()
        });
    }

    async fn fault(&mut self, kind: &'static str) {
        *self.log.counts.entry(kind).or_default() += 1;
        let began = now();
        match kind {
            "kill" => self.kill(),
            "freeze" => self.freeze(),
            "restart" => self.restart().await,
            "terminate" => drop(self.terminate().await),
            "clock" => self.step().await,
            "full" => self.fill().await,
            _ => self.take().await,
        }
        if !["kill", "freeze"].contains(&kind) {
            self.log.disturbed.push((began, now()));
        }
    }

    fn kill(&mut self) {
        let (noted, count) = (self.workers.noted(), self.workers.running.len());
        let busiest = (0..count).max_by_key(|index| noted[*index]);
        // The first is one that surely works.
        let first = match (self.log.kills.is_empty(), busiest) {
            (true, Some(busiest)) => busiest,
            _ => self.chance(count),
        };
        for index in (0..count).map(|step| (first + step) % count) {
            let child = &mut self.workers.running[index];
            // It may have ended by itself.
            if matches!(child.try_wait(), Ok(None)) && child.kill().is_ok() {
                self.log.kills.push((child.id(), now()));
                break;
            }
        }
        *self.log.counts.entry("started again").or_default() += self.workers.mend();
    }

    fn freeze(&mut self) {
        let index = self.chance(self.workers.running.len());
        let pid = Pid::from_child(&self.workers.running[index]);
        let time = FROZEN / u32::try_from(1 + self.chance(2)).unwrap_or(1);
        if kill_process(pid, Signal::STOP).is_ok() {
            // On its own: whoever it kept from writing waits for it.
            tokio::spawn(async move {
                tokio::time::sleep(time).await;
                // It may have been killed.
                let _ = kill_process(pid, Signal::CONT);
            });
        }
    }

    async fn restart(&mut self) {
        let (server, pause) = (self.server.clone(), self.chance(1_500) as u64);
        let restarted = tokio::task::spawn_blocking(move || {
            let mut server = server.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(server) = &mut *server {
                server.kill();
                std::thread::sleep(Duration::from_millis(pause));
                server.restart();
            }
        });
        restarted.await.expect("PostgreSQL starts again");
    }

    async fn terminate(&mut self) -> sqlx::Result<()> {
        let sql = "select count(pg_terminate_backend(pid)) from pg_stat_activity
                   where pid <> pg_backend_pid() and application_name = 'cgcg' and random() < 0.5";
        let mut conn = self.db.read().await?;
        on!(&mut conn, |c| sqlx::query(sql).execute(c).await.map(drop))
    }

    /// An hour ahead, or back again.
    async fn step(&mut self) {
        let before = self.control.read();
        let skew_s = if before.skew_s == 0 { 3_600 } else { 0 };
        self.control.order(Orders { skew_s, ..before });
        tokio::time::sleep(Duration::from_secs(1)).await;
    }

    async fn fill(&mut self) {
        let before = self.control.read();
        self.control.order(Orders {
            full: true,
            ..before
        });
        let _ = limit(&self.db, true).await;
        tokio::time::sleep(Duration::from_millis(1_500)).await;
        self.control.order(before);
        while limit(&self.db, false).await.is_err() {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn take(&mut self) {
        let before = self.control.read();
        self.control.order(Orders {
            taken: true,
            ..before
        });
        let mut taken = Vec::<Conn>::new();
        for _ in 0..10 {
            taken.extend(self.db.read().await);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        drop(taken);
        self.control.order(before);
    }

    /// Starts workers again that died, so that all can end.
    pub(crate) fn heal(&mut self) {
        *self.log.counts.entry("started again").or_default() += self.workers.mend();
    }

    /// Lets the workers end in order.
    pub(crate) async fn end(mut self) -> Log {
        let stop = self.workers.folder.join("stop");
        std::fs::write(stop, "").expect("a folder of our own");
        let until = Instant::now() + FROZEN + Duration::from_secs(10);
        for child in &mut self.workers.running {
            while Instant::now() < until && matches!(child.try_wait(), Ok(None)) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
            if matches!(child.try_wait(), Ok(None)) {
                *self.log.counts.entry("did not end").or_default() += 1;
                let _ = child.kill();
                let _ = child.wait();
            }
        }
        self.log
    }
}

pub(crate) fn now() -> i64 {
    SystemClock::default().now().micros()
}
