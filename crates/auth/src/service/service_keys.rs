use cgcg_core::{Grants, Page, PageRequest, Principal, Proof};

use super::Service;
use super::services::reachable;
use crate::schemas::{ApiKey, ApiKeyCreate, ApiKeyCreated, ApiKeyId, Device, ServiceAccountId};
use crate::scopes::Services;
use crate::{Error, store};

impl Service {
    /// A page of the API keys of a service account.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:services`, [`Error::NotAPerson`] for machines,
    /// [`Error::ServiceAccountNotFound`].
    pub async fn service_keys(
        &self,
        by: &Principal,
        service: ServiceAccountId,
        page: PageRequest,
    ) -> Result<Page<ApiKey>, Error> {
        keeper(by)?;
        self.service_account(by, service).await?;
        self.keys_of(service.uuid(), page).await
    }

    /// One API key of a service account.
    ///
    /// # Errors
    /// As [`Service::service_keys`], and [`Error::ApiKeyNotFound`].
    pub async fn service_key(
        &self,
        by: &Principal,
        service: ServiceAccountId,
        id: ApiKeyId,
    ) -> Result<ApiKey, Error> {
        keeper(by)?;
        self.service_account(by, service).await?;
        self.key_of(service.uuid(), id).await
    }

    /// Makes an API key for a service account.
    ///
    /// # Errors
    /// As [`Service::create_api_key`], where the service account needs the scopes as well; [`Error::Denied`] without
    /// `auth:services`; [`Error::TargetOutranksCaller`] where it may do what `by` may not;
    /// [`Error::ServiceAccountNotFound`], [`Error::ServiceAccountDisabled`].
    pub async fn create_service_key(
        &self,
        by: &Principal,
        service: ServiceAccountId,
        new: ApiKeyCreate,
        device: &Device,
    ) -> Result<ApiKeyCreated, Error> {
        keeper(by)?;
        let wanted = self.wanted(new)?;
        let (mut conn, mine) = self.begin_change::<Services>(by).await?;
        let account = reachable(&mut conn, &mine, service).await?;
        if account.disabled_at.is_some() {
            return Err(Error::ServiceAccountDisabled);
        }
        let rights = store::subjects::rights(&mut conn, service).await?;
        let its = rights.map_or_else(Grants::default, |rights| rights.grants());
        let most = its.narrow(&mine);
        let made = self
            .create_key_in(&mut conn, by, service.uuid(), &most, wanted, device)
            .await?;
        conn.commit().await?;
        Ok(made)
    }

    /// Ends an API key of a service account.
    ///
    /// # Errors
    /// As [`Service::create_service_key`], and [`Error::ApiKeyNotFound`].
    pub async fn revoke_service_key(
        &self,
        by: &Principal,
        service: ServiceAccountId,
        id: ApiKeyId,
        device: &Device,
    ) -> Result<(), Error> {
        keeper(by)?;
        let (mut conn, mine) = self.begin_change::<Services>(by).await?;
        reachable(&mut conn, &mine, service).await?;
        self.revoke_in(&mut conn, by, service.uuid(), id, device)
            .await?;
        Ok(conn.commit().await?)
    }
}

/// Persons and the command line keep the keys of machines. No key makes, shows or ends keys.
fn keeper(by: &Principal) -> Result<(), Error> {
    match by.proof {
        Proof::Session(_) | Proof::Shell => Ok(()),
        _ => Err(Error::NotAPerson),
    }
}
