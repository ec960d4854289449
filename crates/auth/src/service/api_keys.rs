use cgcg_core::{Page, PageRequest, Principal};

use super::Service;
use super::session::person;
use crate::schemas::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId, Device};
use crate::{Error, store};

impl Service {
    /// A page of one's own API keys that were not revoked, oldest first.
    ///
    /// # Errors
    /// [`Error::NotAPerson`] for machines, [`Error::Database`].
    pub async fn api_keys(&self, by: &Principal, page: PageRequest) -> Result<Page<ApiKey>, Error> {
        self.keys_of(person(by)?.0.uuid(), page).await
    }

    /// One of one's own API keys.
    ///
    /// # Errors
    /// As [`Service::api_keys`], and [`Error::ApiKeyNotFound`].
    pub async fn api_key(&self, by: &Principal, id: ApiKeyId) -> Result<ApiKey, Error> {
        self.key_of(person(by)?.0.uuid(), id).await
    }

    /// Makes an API key for oneself. It may do what `scopes` say, as far as its owner may do that at the time.
    ///
    /// # Errors
    /// [`Error::NotAPerson`] for machines; [`Error::ScopeNotHeld`] for a scope that `by` lacks;
    /// [`Error::TooManyKeys`]; [`Error::Invalid`] for a scope that nobody knows and a life that is too long.
    pub async fn create_api_key(
        &self,
        by: &Principal,
        new: ApiKeyCreate,
        device: &Device,
    ) -> Result<ApiKeyCreated, Error> {
        let (owner, _) = person(by)?;
        let wanted = self.wanted(new)?;
        let mut conn = self.0.db.begin().await?;
        // Whoever disables the account, or makes another key, comes before or after: never between look and deed.
        store::subjects::lock(&mut conn, owner).await?;
        let mine = self.current(&mut conn, by).await?;
        let made = self
            .create_key_in(&mut conn, by, owner.uuid(), &mine, wanted, device)
            .await?;
        conn.commit().await?;
        Ok(made)
    }

    /// Ends one of one's own API keys: from then on it does not work on this node.
    ///
    /// # Errors
    /// As [`Service::api_key`].
    pub async fn revoke_api_key(
        &self,
        by: &Principal,
        id: ApiKeyId,
        device: &Device,
    ) -> Result<(), Error> {
        let owner = person(by)?.0.uuid();
        let mut conn = self.0.db.begin().await?;
        self.current(&mut conn, by).await?;
        self.revoke_in(&mut conn, by, owner, id, device).await?;
        Ok(conn.commit().await?)
    }
}
