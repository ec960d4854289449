use cgcg_core::{Conn, Id};

use super::Service;
use crate::mail::Letter;
use crate::store;

impl Service {
    /// Leaves a mail for the worker that sends: it goes out if, and only if, the transaction is committed.
    pub(crate) async fn mail_in(&self, conn: &mut Conn, letter: Letter) -> sqlx::Result<()> {
        let now = self.now();
        store::outbox::insert(conn, Id::new(now), &letter, now).await?;
        let service = self.clone();
        conn.on_commit(move || service.0.outbox.notify_one());
        Ok(())
    }
}
