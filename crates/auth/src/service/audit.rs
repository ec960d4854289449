use cgcg_core::{Conn, Id, Page, PageRequest, Principal, Timestamp};
use uuid::Builder;

use super::Service;
use super::rights::require;
use crate::audit::Entry;
use crate::schemas::{AuditEntry, AuditFilter, AuditInDb};
use crate::scopes::AuditRead;
use crate::throttle::Key;
use crate::{Error, store};

const MINUTE: i64 = 60_000_000;

impl Service {
    /// Lines of the audit, the newest first.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:audit:read`; [`Error::Database`].
    pub async fn audit(
        &self,
        by: &Principal,
        filter: &AuditFilter,
        page: PageRequest,
    ) -> Result<Page<AuditEntry>, Error> {
        require::<AuditRead>(&by.grants)?;
        let mut conn = self.0.db.read().await?;
        let rows = store::audit::list(&mut conn, filter, page.cursor, page.limit).await?;
        Ok(Page::of(rows, page.limit, cursor).map(Into::into))
    }

    /// Writes a line of the audit: it stands if, and only if, the act does.
    pub(crate) async fn audit_in(&self, conn: &mut Conn, entry: Entry) -> sqlx::Result<()> {
        let now = self.now();
        store::audit::insert(conn, Id::new(now), now, &entry).await
    }

    /// As [`Service::audit_in`], for what may happen very often: one line for each `name` and minute, which counts.
    pub(super) async fn audit_repeated_in(
        &self,
        conn: &mut Conn,
        entry: Entry,
        name: &Key,
    ) -> sqlx::Result<()> {
        let now = self.now();
        let minute = Timestamp::from_micros(now.micros() / MINUTE * MINUTE);
        let millis = u64::try_from(minute.micros() / 1_000).unwrap_or_default();
        let mac = self.0.keys.throttle.current.mac(&[
            b"line",
            &minute.micros().to_be_bytes(),
            name,
            entry.outcome.as_bytes(),
        ]);
        let mut chance = [0; 10];
        chance.copy_from_slice(&mac[..10]);
        // An id like all others: the time first, then what here is no chance.
        let id = Builder::from_unix_timestamp_millis(millis, &chance).into_uuid();
        let shown: String = name[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        let entry = entry.detail("name", shown);
        store::audit::insert(conn, Id::from_uuid(id), now, &entry).await
    }
}

fn cursor(row: &AuditInDb) -> cgcg_core::Cursor {
    cgcg_core::Cursor {
        at: row.at,
        id: row.id.uuid(),
    }
}
