use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{BoxError, Conn, Runs, Worker};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{Error, Service, store};

const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(24 * 3_600);
/// How long another node may sign with a key that this one does not know.
const RELOAD: Duration = Duration::from_secs(60);
/// Rows in one transaction: others wait for the writer meanwhile.
const BATCH: i64 = 500;

impl Service {
    /// Background work: `auth.keys` takes over what other nodes did to the keys, `auth.purge` removes sessions 30
    /// days and one-time tokens 7 days after their end.
    pub fn workers(&self) -> Vec<Worker> {
        let (reload, purge) = (self.clone(), self.clone());
        vec![
            Worker {
                name: "auth.keys",
                runs: Runs::Everywhere,
                start: Arc::new(move |cancel| Box::pin(reload.clone().reload_until(cancel))),
            },
            Worker {
                name: "auth.purge",
                runs: Runs::InWorkers,
                start: Arc::new(move |cancel| Box::pin(purge.clone().purge_until(cancel))),
            },
        ]
    }

    async fn reload_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        while self.pause(RELOAD, &cancel).await {
            // The keys in memory stay good: a database that is away is no reason to stop signing.
            if let Err(error) = self.reload_keys().await {
                warn!(%error, "cannot read the signing keys; the known ones stay in force");
            }
        }
        Ok(())
    }

    async fn purge_until(self, cancel: CancellationToken) -> Result<(), BoxError> {
        while self.pause(HOUR, &cancel).await {
            match self.purge().await {
                Ok(rows) => debug!(rows, "ended sessions and one-time tokens removed"),
                Err(error) => warn!(%error, "cannot remove ended sessions; next try in an hour"),
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
    pub(crate) async fn purge(&self) -> Result<u64, Error> {
        let (now, mut removed) = (self.now(), 0);
        loop {
            let mut conn = self.db().begin().await?;
            let rows = purge_batch(&mut conn, now).await?;
            conn.commit().await?;
            removed += rows;
            if rows == 0 {
                return Ok(removed);
            }
        }
    }
}

async fn purge_batch(conn: &mut Conn, now: cgcg_core::Timestamp) -> sqlx::Result<u64> {
    let sessions = store::sessions::purge(conn, now - 30 * DAY, BATCH).await?;
    let tokens = store::one_time::purge(conn, now - 7 * DAY, BATCH).await?;
    Ok(sessions + tokens)
}
