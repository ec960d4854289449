use cgcg_core::{Page, PageRequest, Principal, Proof};
use uuid::Uuid;

use super::Service;
use crate::Error;
use crate::schemas::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId, Device};

impl Service {
    /// A page of one's own API keys that were not revoked, oldest first.
    ///
    /// # Errors
    /// [`Error::NotAPerson`] for machines, [`Error::Database`].
    pub async fn api_keys(&self, by: &Principal, page: PageRequest) -> Result<Page<ApiKey>, Error> {
        self.keys_of(own(by)?, page).await
    }

    /// One of one's own API keys.
    ///
    /// # Errors
    /// As [`Service::api_keys`], and [`Error::ApiKeyNotFound`].
    pub async fn api_key(&self, by: &Principal, id: ApiKeyId) -> Result<ApiKey, Error> {
        self.key_of(own(by)?, id).await
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
        let owner = own(by)?;
        let wanted = self.wanted(new)?;
        let mut conn = self.0.db.begin().await?;
        let mine = self.current(&mut conn, by).await?;
        let made = self
            .create_key_in(&mut conn, by, owner, &mine, wanted, device)
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
        let owner = own(by)?;
        let mut conn = self.0.db.begin().await?;
        self.current(&mut conn, by).await?;
        self.revoke_in(&mut conn, by, owner, id, device).await?;
        Ok(conn.commit().await?)
    }
}

/// The person whose keys these are. No key makes, shows or ends keys.
fn own(by: &Principal) -> Result<Uuid, Error> {
    match (by.user(), by.proof) {
        (Some(user), Proof::Session(_)) => Ok(user.uuid()),
        _ => Err(Error::NotAPerson),
    }
}
