use cgcg_core::{Conn, Id, NewTask, SeamError};
use serde_json::Value;

use super::Service;
use crate::mail::{Letter, MailError};
use crate::store;

impl Service {
    /// Whether mail could be handed over now; sends none.
    ///
    /// # Errors
    /// What stands in its way, for the operator.
    pub async fn reach_mail(&self) -> Result<(), MailError> {
        self.0.mail.mailer.reach().await
    }

    /// Leaves a mail for whoever sends: it goes out if, and only if, the transaction is committed.
    pub(crate) async fn mail_in(&self, conn: &mut Conn, letter: Letter) -> sqlx::Result<()> {
        let now = self.now();
        store::outbox::insert(conn, Id::new(now), &letter, now).await?;
        if let Some(tasks) = &self.0.host.tasks {
            let task = NewTask {
                name: "auth.mail".into(),
                payload: Value::Null,
                run_at: None,
                unique_key: None,
            };
            return match tasks.create_task_in(conn, task).await {
                Ok(_) => Ok(()),
                Err(SeamError::Database(error)) => Err(error),
                Err(error) => Err(sqlx::Error::Protocol(error.to_string())),
            };
        }
        let service = self.clone();
        conn.on_commit(move || service.0.outbox.notify_one());
        Ok(())
    }
}
