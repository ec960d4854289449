use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{BoxError, Conn, Id, Runs, Session, Timestamp, Worker};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::throttle::Now;
use crate::{Error, Service, store};

const HOUR: Duration = Duration::from_secs(3_600);
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How exact `last_seen_at` is.
const SEEN: Duration = Duration::from_secs(60);
/// Sessions in one transaction.
const SEEN_BATCH: usize = 200;
/// So often each node reads the keys: that late it sees what another one did to them.
pub(crate) const RELOAD: Duration = Duration::from_secs(60);
/// How long mail waits that another process left.
const POLL: Duration = Duration::from_secs(15);
/// Mails that are sent at once.
const MAILS: u16 = 10;
/// Rows in one transaction: others wait for the writer meanwhile.
const BATCH: i64 = 500;

impl Service {
    /// Background work: `auth.mail` sends what waits in the outbox, `auth.keys` rotates the signing keys and takes over
    /// what other nodes did to them, `auth.key_use` and `auth.seen` write when API keys and sessions were used,
    /// `auth.padding` times the stored hashes (see [`Service::time_hashes`]), `auth.purge` removes what nobody needs any
    /// more: sessions and API keys 30 days and one-time tokens 7 days after their end, failures a day later, the audit
    /// after `audit.keep`. With [`crate::Host::tasks`] the host does the work of `auth.mail` and `auth.purge`.
    pub fn workers(&self) -> Vec<Worker> {
        let (mail, reload) = (self.clone(), self.clone());
        let (seen, purge, uses) = (self.clone(), self.clone(), self.clone());
        let padding = self.clone();
        let mut workers = vec![
            Worker {
                name: "auth.key_use",
                runs: Runs::Everywhere,
                start: Arc::new(move |cancel| Box::pin(uses.clone().write_uses_until(cancel))),
            },
            Worker {
                name: "auth.mail",
                runs: Runs::InWorkers,
                start: Arc::new(move |cancel| Box::pin(mail.clone().mail_until(cancel))),
            },
            Worker {
                name: "auth.keys",
                runs: Runs::Everywhere,
                start: Arc::new(move |cancel| Box::pin(reload.clone().reload_until(cancel))),
            },
            Worker {
                name: "auth.seen",
                runs: Runs::Everywhere,
                start: Arc::new(move |cancel| Box::pin(seen.clone().write_seen_until(cancel))),
            },
            Worker {
                name: "auth.padding",
                runs: Runs::Everywhere,
                start: Arc::new(move |cancel| Box::pin(padding.clone().time_until(cancel))),
            },
            Worker {
                name: "auth.purge",
                runs: Runs::InWorkers,
                start: Arc::new(move |cancel| Box::pin(purge.clone().purge_until(cancel))),
            },
        ];
        let queued = self.host().tasks.is_some();
        workers.retain(|worker| !(queued && ["auth.mail", "auth.purge"].contains(&worker.name)));
        workers
    }

    async fn mail_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        loop {
            match self.send_due(MAILS).await {
                Ok(taken) if taken == usize::from(MAILS) && !cancel.is_cancelled() => continue,
                Ok(_) => {}
                Err(error) => warn!(%error, "cannot send mail; it stays in the outbox"),
            }
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                // Mail of this process goes out at once.
                () = self.outbox().notified() => {}
                // Mail of other processes, and what failed before.
                () = self.clock().sleep(POLL) => {}
            }
        }
    }

    async fn reload_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        while self.pause(RELOAD, &cancel).await {
            // The keys in memory stay good: a database that is away is no reason to stop signing.
            if let Err(error) = self.keep_keys().await {
                warn!(%error, "cannot read or rotate the signing keys; the known ones stay in force");
            }
        }
        Ok(())
    }

    async fn write_seen_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        while self.pause(SEEN, &cancel).await {
            if let Err(error) = self.write_seen().await {
                warn!(%error, "cannot write when sessions were used");
            }
        }
        Ok(())
    }

    /// Writes when sessions were used since the last time. What could not be written waits for the next time.
    pub(crate) async fn write_seen(&self) -> Result<(), Error> {
        let seen = self.take_seen();
        for (at, some) in seen.chunks(SEEN_BATCH).enumerate() {
            if let Err(error) = self.write_some_seen(some).await {
                // As when somebody who ends these sessions holds the rows in another order.
                self.put_back_seen(&seen[at * SEEN_BATCH..]);
                return Err(error.into());
            }
        }
        Ok(())
    }

    async fn write_some_seen(&self, some: &[(Id<Session>, Timestamp)]) -> sqlx::Result<()> {
        let mut conn = self.db().begin().await?;
        for (session, at) in some {
            store::sessions::see(&mut conn, *session, *at).await?;
        }
        conn.commit().await
    }

    async fn write_uses_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        loop {
            // Once more at the end: what was noted in the last minute is written too.
            let goes_on = self.pause(MINUTE, &cancel).await;
            if let Err(error) = self.write_uses().await {
                warn!(%error, "cannot write when API keys were used; next try in a minute");
            }
            if !goes_on {
                return Ok(());
            }
        }
    }

    async fn time_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        let mut timed = None;
        loop {
            if let Err(error) = self.time_new_hashes(&mut timed).await {
                warn!(%error, "cannot time the stored hashes; the known time stays in force, next try in a minute");
            }
            if !self.pause(MINUTE, &cancel).await {
                return Ok(());
            }
        }
    }

    async fn purge_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        while self.pause(HOUR, &cancel).await {
            match self.purge().await {
                Ok(rows) => debug!(rows, "what nobody needs any more is removed"),
                Err(error) => {
                    warn!(%error, "cannot remove what nobody needs any more; next try in an hour")
                }
            }
        }
        Ok(())
    }

    /// `false` where the work has to end.
    async fn pause(&self, time: Duration, cancel: &CancellationToken) -> bool {
        tokio::select! {
            () = cancel.cancelled() => false,
            () = self.clock().sleep(time) => true,
        }
    }

    /// Removes what nobody needs any more; answers how many rows that were.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn purge(&self) -> Result<u64, Error> {
        let (now, mut removed) = (self.now(), 0);
        let keep = self.settings().audit.keep.get();
        loop {
            let mut conn = self.db().begin().await?;
            let rows = purge_batch(&mut conn, now, now - keep).await?;
            conn.commit().await?;
            removed += rows;
            if rows == 0 {
                return Ok(removed);
            }
        }
    }
}

async fn purge_batch(conn: &mut Conn, now: Timestamp, oldest: Timestamp) -> sqlx::Result<u64> {
    let sessions = store::sessions::purge(conn, now - 30 * DAY, BATCH).await?;
    let tokens = store::one_time::purge(conn, now - 7 * DAY, BATCH).await?;
    let counters = store::throttle::purge(conn, Now::new(now), BATCH).await?;
    let lines = store::audit::purge(conn, oldest, BATCH).await?;
    let answers = store::idempotency::purge(conn, now - DAY, BATCH).await?;
    let keys = store::api_keys::purge(conn, now - 30 * DAY, BATCH).await?;
    Ok(sessions + tokens + counters + lines + answers + keys)
}
