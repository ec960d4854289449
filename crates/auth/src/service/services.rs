use cgcg_core::{Conn, Grants, Id, Page, PageRequest, Principal};

use super::Service;
use super::grants::Target;
use super::rights::{after, doer, require};
use crate::audit::Entry;
use crate::schemas::{
    Device, RolesUpdate, ServiceAccount, ServiceAccountCreate, ServiceAccountId,
    ServiceAccountInDb, ServiceAccountUpdate, SubjectRoles,
};
use crate::scopes::Services;
use crate::{Error, store};

impl Service {
    /// A page of all service accounts, oldest first.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:services`, [`Error::Database`].
    pub async fn service_accounts(
        &self,
        by: &Principal,
        page: PageRequest,
    ) -> Result<Page<ServiceAccount>, Error> {
        require::<Services>(&by.grants)?;
        let mut conn = self.0.db.read().await?;
        let rows = store::services::list(&mut conn, after(page.cursor), page.limit).await?;
        Ok(Page::of(rows, page.limit, ServiceAccountInDb::cursor).map(ServiceAccount::from))
    }

    /// One service account.
    ///
    /// # Errors
    /// As [`Service::service_accounts`], and [`Error::ServiceAccountNotFound`].
    pub async fn service_account(
        &self,
        by: &Principal,
        id: ServiceAccountId,
    ) -> Result<ServiceAccount, Error> {
        require::<Services>(&by.grants)?;
        let row = store::services::find(&mut self.0.db.read().await?, id).await?;
        row.map(ServiceAccount::from)
            .ok_or(Error::ServiceAccountNotFound)
    }

    /// Makes a service account. Without an API key it can do nothing: see [`Service::create_service_key`].
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:services`; [`Error::ScopeNotHeld`] where one of its roles may do what `by` may
    /// not; [`Error::NameTaken`]; [`Error::Invalid`] for a role that is not there.
    pub async fn create_service_account(
        &self,
        by: &Principal,
        new: ServiceAccountCreate,
        device: &Device,
    ) -> Result<ServiceAccount, Error> {
        let (mut conn, mine) = self.begin_change::<Services>(by).await?;
        let roles = self.known_roles(&mut conn, &new.roles).await?;
        let now = self.now();
        let row = ServiceAccountInDb {
            id: Id::new(now),
            name: new.name.into(),
            about: new.about.into(),
            disabled_at: None,
            created_by: doer(by),
            created_at: now,
            version: 1,
            roles: None,
        };
        if !store::services::insert(&mut conn, &row).await? {
            return Err(Error::NameTaken);
        }
        self.audit_service(&mut conn, "service.created", by, row.id, device)
            .await?;
        let target = target(&mut conn, row.id).await?;
        self.set_roles(&mut conn, by, &mine, &target, &roles, device)
            .await?;
        finish(conn, row.id).await
    }

    /// Changes a service account. Disabled, its API keys end for good; enabled again, it needs new ones. `if_match`
    /// is the version that the caller read.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:services`; [`Error::TargetOutranksCaller`] where it may do what `by` may not;
    /// [`Error::NameTaken`], [`Error::ServiceAccountNotFound`], [`Error::VersionMismatch`].
    pub async fn update_service_account(
        &self,
        by: &Principal,
        id: ServiceAccountId,
        change: ServiceAccountUpdate,
        if_match: Option<i64>,
        device: &Device,
    ) -> Result<ServiceAccount, Error> {
        let (mut conn, mine) = self.begin_change::<Services>(by).await?;
        let before = reachable(&mut conn, &mine, id).await?;
        if if_match.is_some_and(|version| version != before.version) {
            return Err(Error::VersionMismatch);
        }
        let mut after = before.clone();
        after.name = change.name.map_or(after.name, String::from);
        after.about = change.about.map_or(after.about, String::from);
        after.disabled_at = match change.disabled {
            Some(true) => before.disabled_at.or(Some(self.now())),
            Some(false) => None,
            None => before.disabled_at,
        };
        if after == before {
            return Ok(before.into());
        }
        if store::services::is_taken(&mut conn, &after.name, id).await? {
            return Err(Error::NameTaken);
        }
        store::services::save(&mut conn, &after).await?;
        let action = match (before.disabled_at, after.disabled_at) {
            (None, Some(_)) => "service.disabled",
            (Some(_), None) => "service.enabled",
            _ => "service.updated",
        };
        self.audit_service(&mut conn, action, by, id, device)
            .await?;
        if action == "service.disabled" {
            self.end_keys_in(&mut conn, id, Some(by), "disabled")
                .await?;
        }
        finish(conn, id).await
    }

    /// Removes a service account with its roles and its API keys.
    ///
    /// # Errors
    /// As [`Service::update_service_account`].
    pub async fn remove_service_account(
        &self,
        by: &Principal,
        id: ServiceAccountId,
        device: &Device,
    ) -> Result<(), Error> {
        let (mut conn, mine) = self.begin_change::<Services>(by).await?;
        reachable(&mut conn, &mine, id).await?;
        self.end_keys_in(&mut conn, id, Some(by), "deleted").await?;
        store::api_keys::delete_of(&mut conn, id.uuid()).await?;
        store::grants::delete_of(&mut conn, id).await?;
        store::subjects::delete(&mut conn, id).await?;
        store::services::delete(&mut conn, id).await?;
        self.audit_service(&mut conn, "service.deleted", by, id, device)
            .await?;
        Ok(conn.commit().await?)
    }

    /// Gives a service account these roles and no others. Its API keys shrink and grow with them, at once.
    ///
    /// # Errors
    /// As [`Service::create_service_account`] and [`Service::update_service_account`].
    pub async fn set_service_roles(
        &self,
        by: &Principal,
        id: ServiceAccountId,
        change: &RolesUpdate,
        device: &Device,
    ) -> Result<SubjectRoles, Error> {
        let (mut conn, mine) = self.begin_change::<Services>(by).await?;
        reachable(&mut conn, &mine, id).await?;
        let target = target(&mut conn, id).await?;
        let roles = self.known_roles(&mut conn, &change.roles).await?;
        let set = self
            .set_roles(&mut conn, by, &mine, &target, &roles, device)
            .await?;
        store::services::touch(&mut conn, id).await?;
        conn.commit().await?;
        Ok(set)
    }

    async fn audit_service(
        &self,
        conn: &mut Conn,
        action: &'static str,
        by: &Principal,
        id: ServiceAccountId,
        device: &Device,
    ) -> Result<(), Error> {
        let entry = Entry::new(action).by(by).about(id.uuid()).from(device);
        Ok(self.audit_in(conn, entry).await?)
    }
}

/// A service account that may do no more than whoever has `mine`.
pub(super) async fn reachable(
    conn: &mut Conn,
    mine: &Grants,
    id: ServiceAccountId,
) -> Result<ServiceAccountInDb, Error> {
    let row = store::services::find(conn, id).await?;
    let row = row.ok_or(Error::ServiceAccountNotFound)?;
    let target = target(conn, id).await?;
    if mine.cover(&target.rights.grants()) {
        Ok(row)
    } else {
        Err(Error::TargetOutranksCaller)
    }
}

/// Its rights, held until the transaction ends.
async fn target(
    conn: &mut Conn,
    id: ServiceAccountId,
) -> Result<Target<cgcg_core::ServiceAccount>, Error> {
    store::subjects::lock(conn, id).await?;
    let rights = store::subjects::rights(conn, id).await?;
    Ok(Target {
        id,
        rights: rights.ok_or(Error::ServiceAccountNotFound)?,
    })
}

async fn finish(mut conn: Conn, id: ServiceAccountId) -> Result<ServiceAccount, Error> {
    let row = store::services::find(&mut conn, id).await?;
    conn.commit().await?;
    row.map(ServiceAccount::from)
        .ok_or(Error::ServiceAccountNotFound)
}
