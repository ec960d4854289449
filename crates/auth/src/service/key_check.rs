use std::sync::Arc;
use std::time::Duration;

use cgcg_core::{
    AccountStatus, ApiKey, Conn, Denied, Grants, Id, Principal, Proof, Subject, Timestamp,
};

use super::Service;
use super::authenticate::{refused, unavailable};
use crate::cache::Key;
use crate::store::api_keys::KeyStanding;
use crate::{Error, api_key, store};

/// A use is not written more often, whatever the number of nodes.
const NOTED: Duration = Duration::from_secs(60);

impl Service {
    /// Who shows this API key. `key` is its SHA-256: under that it is stored, and remembered.
    pub(super) async fn check_key(&self, text: &str, key: Key) -> Result<Arc<Principal>, Denied> {
        if !api_key::reads_well(text) {
            return Err(refused("checksum", Denied::Invalid));
        }
        self.opened().map_err(|_| Denied::Unavailable)?;
        let mark = self.0.cache.mark_any();
        let read_at = self.0.clock.monotonic();
        let principal = Arc::new(self.read_key(&key).await?);
        let fresh_until = read_at + self.0.settings.sessions.check.get();
        self.0.cache.insert(
            key,
            principal.clone(),
            mark,
            fresh_until,
            principal.valid_until,
        );
        self.note_use(&principal);
        Ok(principal)
    }

    async fn read_key(&self, hash: &[u8]) -> Result<Principal, Denied> {
        let mut conn = self.0.db.read().await.map_err(unavailable)?;
        let found = store::api_keys::standing_by_hash(&mut conn, hash).await;
        let found = found.map_err(unavailable)?;
        let found = found.ok_or_else(|| refused("api_key", Denied::Invalid))?;
        if found.key.revoked_at.is_none() && found.key.ends_at() <= self.now() {
            return Err(refused("expired", Denied::Expired));
        }
        let principal = self
            .shown_by(&mut conn, &found)
            .await
            .map_err(unavailable)?;
        principal.ok_or_else(|| refused("api_key", Denied::Invalid))
    }

    /// Who a key shows now; `None` once it is over.
    pub(super) async fn key_now(
        &self,
        conn: &mut Conn,
        key: Id<ApiKey>,
    ) -> Result<Option<Principal>, Error> {
        match store::api_keys::standing(conn, key).await? {
            Some(found) => self.shown_by(conn, &found).await,
            None => Ok(None),
        }
    }

    async fn shown_by(
        &self,
        conn: &mut Conn,
        found: &KeyStanding,
    ) -> Result<Option<Principal>, Error> {
        let key = &found.key;
        let over = key.revoked_at.is_some() || key.ends_at() <= self.now();
        let subject = match found.kind.as_str() {
            "user" => Subject::User(Id::from_uuid(key.owner_id)),
            _ => Subject::Service(Id::from_uuid(key.owner_id)),
        };
        if over || !self.is_in_use(conn, subject, found).await? {
            return Ok(None);
        }
        let limit: Grants = key.key_scopes.iter().map(String::as_str).collect();
        Ok(Some(Principal {
            subject,
            proof: Proof::ApiKey(key.id),
            grants: found.rights.grants().narrow(&limit),
            logged_in_at: None,
            factors: 0,
            valid_until: key.ends_at(),
            actor: None,
            tenant: None,
        }))
    }

    async fn is_in_use(
        &self,
        conn: &mut Conn,
        subject: Subject,
        found: &KeyStanding,
    ) -> Result<bool, Error> {
        let Subject::User(user) = subject else {
            return Ok(found.disabled_at.is_none());
        };
        let account = self.0.directory.find(conn, user).await?;
        Ok(account.is_some_and(|account| account.status == AccountStatus::Active))
    }

    /// Remembers that a key was used, for [`Service::write_uses`].
    pub(super) fn note_use(&self, principal: &Principal) {
        if let Proof::ApiKey(key) = principal.proof {
            self.0.key_use.note(key, self.now());
        }
    }

    /// Writes when keys were last used. What could not be written waits for the next time.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub(crate) async fn write_uses(&self) -> Result<(), Error> {
        let uses = self.0.key_use.take();
        if uses.is_empty() {
            return Ok(());
        }
        let written = self.write_each(uses.iter()).await;
        if written.is_err() {
            self.0.key_use.put_back(uses);
        }
        written
    }

    async fn write_each(
        &self,
        uses: impl Iterator<Item = (&Id<ApiKey>, &Timestamp)> + Send,
    ) -> Result<(), Error> {
        // One order for all nodes: two that write the same rows wait for each other, and never in a circle.
        let mut uses: Vec<_> = uses.collect();
        uses.sort_unstable();
        let mut conn = self.0.db.begin().await?;
        for (key, at) in uses {
            store::api_keys::used(&mut conn, *key, *at, *at - NOTED).await?;
        }
        Ok(conn.commit().await?)
    }
}
