use std::time::Duration;

use metrics::gauge;
use tracing::warn;

use super::Service;
use crate::Error;
use crate::store::park;

/// How far into a queue is looked.
const HEAD: i64 = 1_000;
/// How often at most that is put off at once, so that it stays one moment's work.
const ROUNDS: usize = 10;
/// For how long.
const TIME: Duration = Duration::from_secs(60);

impl Service {
    /// Puts ready tasks off that nobody knows who could run them, where they are half or more of the first thousand
    /// in `queue`: else each claim would walk over them. Answers how many those were.
    ///
    /// They stay unknown to a worker that comes later for a minute at most, and lose no attempt.
    pub(crate) async fn park(&self, queue: &str, names: &[String]) -> Result<u64, Error> {
        let mut parked = 0;
        for _ in 0..ROUNDS {
            let head = park::head(&mut self.0.db.read().await?, queue, names, HEAD).await?;
            gauge!("cgcg_tasks_unhandled", "queue" => queue.to_owned()).set(head.unknown as f64);
            if head.unknown == 0 || head.unknown * 2 < head.tasks {
                break;
            }
            let mut conn = self.0.db.begin().await?;
            let now = self.0.shared.now(&conn);
            let rows = park::park(&mut conn, now, queue, names, HEAD, TIME).await?;
            self.0.shared.ring_scheduled(&mut conn);
            conn.commit().await?;
            parked += rows;
            if rows == 0 {
                break;
            }
        }
        if parked > 0 {
            warn!(
                queue,
                tasks = parked,
                "no handler for the first tasks of this queue; they are put off for a minute"
            );
        }
        Ok(parked)
    }
}
