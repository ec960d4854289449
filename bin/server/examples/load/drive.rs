use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use cgcg_core::BoxError;

use crate::client::Client;
use crate::source::Source;

/// After the end of a round, so long for answers that are on their way.
const PATIENCE: Duration = Duration::from_secs(10);

/// What some connections saw in one round.
#[derive(Default, Clone)]
pub(crate) struct Seen {
    /// Of each 2xx, in microseconds.
    pub(crate) latencies: Vec<u32>,
    /// Connections that broke, and answers that never came.
    pub(crate) errors: u64,
    /// How often each other status was answered.
    pub(crate) other: BTreeMap<u16, u64>,
    /// Length of the round.
    pub(crate) elapsed: Duration,
}

impl Seen {
    fn add(&mut self, more: Self) {
        self.latencies.extend(more.latencies);
        self.errors += more.errors;
        for (status, count) in more.other {
            *self.other.entry(status).or_default() += count;
        }
    }
}

/// Connections that do the same.
pub(crate) struct Crowd {
    pub(crate) address: SocketAddr,
    /// One per connection.
    pub(crate) sources: Vec<Box<dyn Source>>,
    /// Calls per second of all together, whatever the server does; as fast as it answers where absent.
    pub(crate) rate: Option<f64>,
    /// Whether a connection waits as long as `Retry-After` says.
    pub(crate) patient: bool,
}

impl Crowd {
    /// Lets all connections work for `round`, on so many threads.
    pub(crate) fn drive(self, round: Duration, threads: usize) -> Result<Seen, BoxError> {
        let interval = self
            .rate
            .map(|rate| Duration::from_secs_f64(self.sources.len() as f64 / rate));
        let connections = self.sources.len() as u32;
        let start = Instant::now();
        let mut groups: Vec<Vec<Connection>> = (0..threads.max(1)).map(|_| Vec::new()).collect();
        for (index, source) in self.sources.into_iter().enumerate() {
            let pace = interval.map(|interval| Pace {
                interval,
                next: start + interval * index as u32 / connections,
            });
            let connection = Connection {
                client: Client::new(self.address),
                source,
                pace,
                patient: self.patient,
                seen: Seen::default(),
            };
            groups[index % threads.max(1)].push(connection);
        }
        let group = |group| std::thread::spawn(move || drive_group(group, start + round));
        let running: Vec<_> = groups.into_iter().map(group).collect();
        let mut all = Seen::default();
        for thread in running {
            all.add(
                thread
                    .join()
                    .map_err(|_| "a thread of the driver failed")??,
            );
        }
        all.elapsed = start.elapsed();
        Ok(all)
    }
}

fn drive_group(connections: Vec<Connection>, end: Instant) -> Result<Seen, BoxError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let running: Vec<_> = connections
            .into_iter()
            .map(|one| tokio::spawn(one.work_until(end)))
            .collect();
        let mut all = Seen::default();
        for one in running {
            all.add(one.await?);
        }
        Ok(all)
    })
}

/// Fixed times at which a connection sends.
struct Pace {
    interval: Duration,
    next: Instant,
}

struct Connection {
    client: Client,
    source: Box<dyn Source>,
    pace: Option<Pace>,
    patient: bool,
    seen: Seen,
}

impl Connection {
    async fn work_until(mut self, end: Instant) -> Seen {
        while let Some(start) = self.turn(end).await {
            let late = tokio::time::Instant::from_std(end + PATIENCE);
            match tokio::time::timeout_at(late, self.client.send(self.source.next())).await {
                Ok(Ok(status)) if (200..300).contains(&status) => {
                    self.seen
                        .latencies
                        .push(u32::try_from(start.elapsed().as_micros()).unwrap_or(u32::MAX));
                    self.source.seen(&self.client);
                }
                Ok(Ok(status)) => {
                    *self.seen.other.entry(status).or_default() += 1;
                    let told = self.client.header("retry-after").filter(|_| self.patient);
                    if let Some(seconds) = told.and_then(|text| text.parse().ok()) {
                        let again = Instant::now() + Duration::from_secs(seconds);
                        tokio::time::sleep_until(again.min(end).into()).await;
                    }
                }
                // A server that refuses connections would be asked a hundred thousand times a second.
                Ok(Err(_)) => {
                    self.seen.errors += 1;
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                Err(_) => self.seen.errors += 1,
            }
        }
        self.seen
    }

    /// When the next request begins; `None` at the end.
    ///
    /// At a fixed rate that is the planned time, also where the connection is late: what waits behind a slow answer
    /// is slow as well (coordinated omission).
    async fn turn(&mut self, end: Instant) -> Option<Instant> {
        let Some(pace) = &mut self.pace else {
            return Some(Instant::now()).filter(|now| *now < end);
        };
        let planned = pace.next;
        if planned >= end || Instant::now() >= end {
            return None;
        }
        pace.next += pace.interval;
        tokio::time::sleep_until(planned.into()).await;
        Some(planned)
    }
}
