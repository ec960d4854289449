//! Hashes per second: argon2 in a bare loop beside the pool, on 1 and 2 threads, and what memory stays afterwards.
//!
//! `cargo bench -p cgcg-auth --bench bench_hash_pool`. One JSON line per figure.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use argon2::{Algorithm, Argon2, Block, Params, Version};
use cgcg_auth::password::{Argon2Settings, Lane, Policy, Pool, PoolSettings};
use cgcg_core::{Clock, Size, Span, SystemClock};
use serde_json::json;

const HASHES: usize = 24;
const ROUNDS: usize = 10;

fn main() {
    let clock = Arc::new(SystemClock::default());
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build();
    let runtime = runtime.expect("a runtime");
    // Before the loops, whose memory is not the pool's.
    let pool = pool(2, clock.clone());
    print("rss_start_kib", 2, rss_kib());
    runtime.block_on(flood(&pool, 2));
    runtime.block_on(flood(&pool, 2));
    print("rss_busy_kib", 2, rss_kib());
    runtime.block_on(async { clock.sleep(Duration::from_secs(12)).await });
    print(
        "pool_idle_kib",
        2,
        pool.load().memory_bytes as f64 / 1_024.0,
    );
    print("rss_idle_kib", 2, rss_kib());
    runtime.block_on(flood(&pool, 2));
    print("rss_busy_again_kib", 2, rss_kib());
    runtime.block_on(async { clock.sleep(Duration::from_secs(12)).await });
    print("rss_idle_again_kib", 2, rss_kib());
    throughput(&clock, &runtime);
}

fn throughput(clock: &Arc<SystemClock>, runtime: &tokio::runtime::Runtime) {
    for threads in [1, 2] {
        let pool = pool(threads, clock.clone());
        let (mut loops, mut pooled) = (Cost::default(), Cost::default());
        runtime.block_on(flood(&pool, threads));
        // By turns, since the machine may be busier at one time than at another.
        for _ in 0..ROUNDS {
            loops.add(clock, || bare(threads));
            pooled.add(clock, || runtime.block_on(flood(&pool, threads)));
        }
        print("bare_hashes_per_s", threads, loops.per_second());
        print("pool_hashes_per_s", threads, pooled.per_second());
        print("bare_cpu_ms_per_hash", threads, loops.cpu_ms());
        print("pool_cpu_ms_per_hash", threads, pooled.cpu_ms());
    }
}

/// Of [`HASHES`] at a time. Time on the CPU as well: other programs on the machine change it little.
#[derive(Default)]
struct Cost {
    hashes: usize,
    wall_s: f64,
    cpu_s: f64,
}

impl Cost {
    fn add(&mut self, clock: &SystemClock, work: impl FnOnce()) {
        let (start, cpu) = (clock.monotonic(), cpu_seconds());
        work();
        self.wall_s += (clock.monotonic() - start).as_secs_f64();
        self.cpu_s += cpu_seconds() - cpu;
        self.hashes += HASHES;
    }

    fn per_second(&self) -> f64 {
        self.hashes as f64 / self.wall_s
    }

    fn cpu_ms(&self) -> f64 {
        self.cpu_s * 1e3 / self.hashes as f64
    }
}

fn pool(threads: usize, clock: Arc<SystemClock>) -> Pool {
    let settings = PoolSettings {
        memory: Size::mib(256),
        threads,
        wait: Span::seconds(30),
    };
    Pool::new(Argon2Settings::default(), settings, clock)
}

/// As many clients as threads, and one that waits.
async fn flood(pool: &Pool, threads: usize) {
    let clients = (0..=threads).map(|client| {
        let pool = pool.clone();
        let count = HASHES / (threads + 1) + usize::from(client < HASHES % (threads + 1));
        tokio::spawn(async move {
            let password =
                Policy::admit(&"correct horse battery".to_owned().into()).expect("short enough");
            for _ in 0..count {
                pool.hash(Lane::Login, &password)
                    .await
                    .expect("a place in the queue");
            }
        })
    });
    for client in clients.collect::<Vec<_>>() {
        client.await.expect("no panic");
    }
}

/// What the hardware gives: no queue, no channels, memory allocated once.
fn bare(threads: usize) {
    let loops = (0..threads).map(|_| {
        thread::spawn(move || {
            let params = Params::new(19_456, 2, 1, Some(32)).expect("parameters");
            let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
            let mut blocks = vec![Block::new(); 19_456];
            let mut hash = [0; 32];
            for _ in 0..HASHES / threads {
                let done = argon2.hash_password_into_with_memory(
                    b"correct horse battery",
                    &[7; 16],
                    &mut hash,
                    &mut blocks,
                );
                done.expect("a hash");
            }
        })
    });
    for one in loops.collect::<Vec<_>>() {
        one.join().expect("no panic");
    }
}

/// User and system time of the process, to 10 ms. Linux only; 0 elsewhere.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat
        .rsplit(") ")
        .next()
        .unwrap_or_default()
        .split(' ')
        .skip(11)
        .take(2);
    fields
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}

/// Linux only; 0 elsewhere.
fn rss_kib() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok())
        .unwrap_or_default()
}

fn print(figure: &str, threads: usize, value: f64) {
    println!(
        "{}",
        json!({"bench": "hash_pool", "figure": figure, "threads": threads, "value": value})
    );
}
