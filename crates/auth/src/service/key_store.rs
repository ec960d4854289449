use cgcg_core::{
    Conn, DisplayName, Grants, Id, Invalid, Limit, Page, PageRequest, Principal, Timestamp,
};
use sqlx::types::Json;
use uuid::Uuid;

use super::Service;
use super::rights::{after, doer};
use crate::audit::Entry;
use crate::cache::Cache;
use crate::schemas::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId, ApiKeyInDb, Device};
use crate::{Error, api_key, store};

/// A key that may be made, but for the rights of its maker.
pub(super) struct Wanted {
    name: DisplayName,
    scopes: Grants,
    expires_at: Option<Timestamp>,
}

impl Service {
    /// Checks what needs no look into the database.
    pub(super) fn wanted(&self, new: ApiKeyCreate) -> Result<Wanted, Error> {
        if new.scopes.is_empty() {
            let rule = "expected at least one scope";
            return Err(Error::invalid("scopes", Invalid::new("out_of_range", rule)));
        }
        Ok(Wanted {
            name: new.name,
            scopes: self.known_scopes(&new.scopes, &Grants::default())?,
            expires_at: self.end_of(new.expires_at)?,
        })
    }

    /// When a new key ends, by the words of its maker: absent, `null` or a time.
    fn end_of(&self, asked: Option<Option<Timestamp>>) -> Result<Option<Timestamp>, Error> {
        let (settings, now) = (&self.0.settings.api_keys, self.now());
        let wrong = |code, rule: String| Error::invalid("expires_at", Invalid::new(code, rule));
        match asked {
            None => Ok(Some(now + settings.default_ttl.get())),
            Some(None) if settings.allow_unlimited => Ok(None),
            Some(None) => {
                let rule = "expected a time: keys that never end are switched off";
                Err(wrong("null_not_allowed", rule.to_owned()))
            }
            Some(Some(end)) if now < end && end <= now + settings.max_ttl.get() => Ok(Some(end)),
            Some(Some(_)) => {
                let rule = format!("expected a time within the next {}", settings.max_ttl);
                Err(wrong("out_of_range", rule))
            }
        }
    }

    /// Makes a key for `owner`, whose row as a subject the caller holds: of two keys made at once, the second one counts
    /// the first. It may do no more than `most`.
    pub(super) async fn create_key_in(
        &self,
        conn: &mut Conn,
        by: &Principal,
        owner: Uuid,
        most: &Grants,
        wanted: Wanted,
        device: &Device,
    ) -> Result<ApiKeyCreated, Error> {
        if !most.cover(&wanted.scopes) {
            return Err(Error::ScopeNotHeld);
        }
        let now = self.now();
        let live = store::api_keys::count_live(conn, owner, now).await?;
        if live >= i64::from(self.0.settings.api_keys.max_per_owner) {
            return Err(Error::TooManyKeys);
        }
        let key = api_key::generate()?;
        let row = ApiKeyInDb {
            id: Id::new(now),
            owner_id: owner,
            name: wanted.name.into(),
            hint: api_key::hint(&key).to_owned(),
            key_scopes: Json(wanted.scopes.iter().map(str::to_owned).collect()),
            created_by: doer(by),
            created_at: now,
            expires_at: wanted.expires_at,
            last_used_at: None,
            revoked_at: None,
        };
        store::api_keys::insert(conn, &row, &Cache::key(key.expose())).await?;
        self.audit_key(conn, "api_key.created", by, owner, row.id, device)
            .await?;
        Ok(ApiKeyCreated {
            key,
            api_key: row.into(),
        })
    }

    pub(super) async fn keys_of(
        &self,
        owner: Uuid,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, Error> {
        let (from, limit): (Uuid, Limit) = (after(page.cursor), page.limit);
        let rows = store::api_keys::list(&mut self.0.db.read().await?, owner, from, limit).await?;
        Ok(Page::of(rows, limit, ApiKeyInDb::cursor).map(ApiKey::from))
    }

    pub(super) async fn key_of(&self, owner: Uuid, id: ApiKeyId) -> Result<ApiKey, Error> {
        let row = store::api_keys::find(&mut self.0.db.read().await?, owner, id).await?;
        row.map(ApiKey::from).ok_or(Error::ApiKeyNotFound)
    }

    pub(super) async fn revoke_in(
        &self,
        conn: &mut Conn,
        by: &Principal,
        owner: Uuid,
        id: ApiKeyId,
        device: &Device,
    ) -> Result<(), Error> {
        if !store::api_keys::revoke(conn, owner, id, self.now()).await? {
            return Err(Error::ApiKeyNotFound);
        }
        self.audit_key(conn, "api_key.revoked", by, owner, id, device)
            .await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_key(owner, id));
        Ok(())
    }

    /// Ends all keys of a user or a service account, for `reason`: a word for the audit. `by` is nobody where a
    /// mailed link does it.
    pub(super) async fn end_keys_in<T>(
        &self,
        conn: &mut Conn,
        owner: Id<T>,
        by: Option<&Principal>,
        reason: &'static str,
    ) -> sqlx::Result<()> {
        let owner = owner.uuid();
        for id in store::api_keys::revoke_of(conn, owner, self.now()).await? {
            let entry = Entry::new("api_key.revoked").about(owner);
            let entry = match by {
                Some(by) => entry.by(by),
                None => entry,
            };
            let entry = entry.detail("api_key", id.to_string());
            self.audit_in(conn, entry.detail("reason", reason)).await?;
        }
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_subject(owner));
        Ok(())
    }

    async fn audit_key(
        &self,
        conn: &mut Conn,
        action: &'static str,
        by: &Principal,
        owner: Uuid,
        id: ApiKeyId,
        device: &Device,
    ) -> sqlx::Result<()> {
        let entry = Entry::new(action).by(by).about(owner).from(device);
        self.audit_in(conn, entry.detail("api_key", id.to_string()))
            .await
    }
}
