use cgcg_core::{Conn, Id};

use super::Service;
use crate::audit::Entry;
use crate::store;

impl Service {
    /// Writes a line of the audit: it stands if, and only if, the act does.
    pub(crate) async fn audit_in(&self, conn: &mut Conn, entry: Entry) -> sqlx::Result<()> {
        let now = self.now();
        store::audit::insert(conn, Id::new(now), now, &entry).await
    }
}
