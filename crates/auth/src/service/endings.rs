//! What ends before a change that a thief may have made, or may profit from.

use cgcg_core::{Conn, Id, Session, User};

use super::Service;
use crate::{Error, store};

impl Service {
    /// Ends the sessions of an account but `keep`; answers how many.
    pub(super) async fn end_sessions_in(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        keep: Option<Id<Session>>,
        reason: &'static str,
    ) -> Result<usize, Error> {
        // First the row that logins hold, so that none slips in between.
        store::subjects::lock(conn, user).await?;
        let ended = store::sessions::revoke_of(conn, user, keep, reason, self.now()).await?;
        self.tell_ended(conn, user, &ended, reason).await?;
        Ok(ended.len())
    }

    /// Ends every one-time token of an account, and makes its access tokens stale.
    pub(super) async fn end_proofs_in(&self, conn: &mut Conn, user: Id<User>) -> Result<(), Error> {
        store::one_time::end(conn, user, None, self.now()).await?;
        self.end_access_in(conn, user).await
    }

    /// Makes the access tokens of an account stale: a session that goes on refreshes first.
    pub(super) async fn end_access_in(&self, conn: &mut Conn, user: Id<User>) -> Result<(), Error> {
        store::subjects::raise_epoch(conn, user).await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_user(user));
        Ok(())
    }
}
