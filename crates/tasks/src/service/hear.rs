use std::time::Duration;

use cgcg_core::{Engine, Id, Listener, Notice};
use metrics::counter;
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::Service;
use crate::store::notify::notify;
use crate::wake::{ASKED, READY};
use crate::worker::backoff::{doubled, spread};

/// How often a listener makes sure that it hears, and how long it waits for its own voice.
const ECHO: Duration = Duration::from_secs(30);
const ANSWER: Duration = Duration::from_secs(5);
const FIRST: Duration = Duration::from_millis(200);
const LONGEST: Duration = Duration::from_secs(60);

/// SQLite: how often it is looked whether another process wrote. Most files have one process, and a look costs as much
/// as nobody should pay for nothing.
const ALONE: Duration = Duration::from_millis(200);
/// For a minute after one wrote.
const IDLE: Duration = Duration::from_millis(50);
const IDLE_FOR: Duration = Duration::from_secs(60);
/// For a second after one wrote.
const BUSY: Duration = Duration::from_millis(5);
const BUSY_FOR: Duration = Duration::from_secs(1);

impl Service {
    /// Hears of what other processes write; until `stop`.
    pub(super) async fn hear_until(&self, stop: &CancellationToken) {
        let heard = async {
            match self.0.db.engine() {
                Engine::Sqlite => self.sense().await,
                Engine::Postgres if self.settings().notify => self.listen().await,
                Engine::Postgres => {}
            }
        };
        tokio::select! {
            biased;
            () = stop.cancelled() => {}
            () = heard => {}
        }
    }

    /// SQLite: another process on the same file.
    async fn sense(&self) {
        let (clock, bells) = (self.clock(), self.bells());
        let (mut seen, mut wrote_at) = (None, None);
        loop {
            match self.0.db.foreign_writes().await {
                Ok(version) => {
                    bells.set_hears(true);
                    if seen.is_some() && seen != version {
                        counter!("cgcg_tasks_wakes_total", "by" => "file").increment(1);
                        wrote_at = Some(clock.monotonic());
                        bells.look();
                    }
                    seen = version;
                }
                Err(error) => {
                    bells.set_hears(false);
                    debug!(%error, "cannot see whether another process wrote");
                }
            }
            let ago = wrote_at.map(|at| clock.monotonic().saturating_sub(at));
            let pause = match ago {
                Some(ago) if ago < BUSY_FOR => BUSY,
                Some(ago) if ago < IDLE_FOR => IDLE,
                _ => ALONE,
            };
            clock.sleep(pause).await;
        }
    }

    /// PostgreSQL: all who notify. It never gives up: without it, work of other processes is found by looking.
    async fn listen(&self) {
        let mut failures = 0;
        loop {
            let Err(error) = self.listen_once().await else {
                return;
            };
            if self.bells().set_hears(false) {
                failures = 0;
                counter!("cgcg_tasks_listener_reconnects_total").increment(1);
                info!(%error, "other processes are not heard any more; trying again, looking meanwhile");
                // Whoever paused for long because it was heard does not any more.
                self.bells().look();
            } else if failures == 0 {
                warn!(%error, "LISTEN does not work here; work of other processes is found by looking");
            }
            failures += 1;
            let pause = doubled(FIRST, LONGEST, failures);
            self.clock().sleep(spread(pause, failures)).await;
        }
    }

    /// Until the connection is lost, or says nothing any more: behind a pooler that hands connections around, LISTEN
    /// is accepted and nothing is ever heard.
    async fn listen_once(&self) -> sqlx::Result<()> {
        let echo = format!(
            "cgcg_tasks_{}",
            Id::<Self>::new(self.clock().now()).uuid().simple()
        );
        let channels = [READY, ASKED, echo.as_str()];
        let connected = tokio::time::timeout(ANSWER, self.0.db.listen(&channels)).await;
        let Some(mut listener) = connected.map_err(|_| sqlx::Error::PoolTimedOut)?? else {
            return Ok(());
        };
        loop {
            self.shout(&echo).await?;
            let answer = self.clock().sleep(ANSWER);
            tokio::select! {
                biased;
                heard = self.until_echo(&mut listener, &echo) => heard?,
                () = answer => return Err(sqlx::Error::Protocol("nothing is heard".to_owned())),
            }
            if !self.bells().set_hears(true) {
                // What was notified before, nobody heard.
                self.bells().look();
            }
            let pause = self.clock().sleep(ECHO);
            tokio::select! {
                biased;
                heard = self.until_echo(&mut listener, &echo) => heard?,
                () = pause => {}
            }
        }
    }

    async fn shout(&self, echo: &str) -> sqlx::Result<()> {
        let mut conn = self.0.db.read().await?;
        notify(&mut conn, &[(echo, String::new())]).await
    }

    /// Passes on what it hears, until that is its own voice.
    async fn until_echo(&self, listener: &mut Listener, echo: &str) -> sqlx::Result<()> {
        loop {
            let notice = listener.next().await?;
            if notice.channel == echo {
                return Ok(());
            }
            self.heard(&notice);
        }
    }

    fn heard(&self, notice: &Notice) {
        let bells = self.bells();
        counter!("cgcg_tasks_wakes_total", "by" => "notify").increment(1);
        match notice.channel.as_str() {
            ASKED => {
                if let Ok(id) = notice.payload.parse() {
                    bells.ask(id);
                }
            }
            _ if notice.payload.is_empty() => {
                bells.scheduled();
                bells.look();
            }
            _ => bells.ready(&notice.payload),
        }
    }
}
