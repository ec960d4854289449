use cgcg_core::{Conn, Grants, Id, Login, Principal, User};

use super::Service;
use super::login::no_account;
use super::open::ADMIN;
use super::rights::{doer, is_self, require};
use crate::audit::Entry;
use crate::schemas::{Device, Name, RoleInDb, RolesUpdate, SubjectRoles};
use crate::scopes::{RolesRead, RolesWrite};
use crate::store::subjects::Rights;
use crate::{Error, message, store};

/// Whose roles change, as it was read in the transaction that changes them. They may do no more than whoever changes them.
pub(super) struct Target<T> {
    pub(super) id: Id<T>,
    pub(super) rights: Rights,
}

impl Service {
    /// What an account may do. One that was never used here has no roles yet: it gets `roles.default` with its first
    /// login.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:roles:read`, [`Error::UserNotFound`], [`Error::Database`].
    pub async fn user_roles(&self, by: &Principal, id: Id<User>) -> Result<SubjectRoles, Error> {
        require::<RolesRead>(&by.grants)?;
        let mut conn = self.0.db.read().await?;
        self.find_user(&mut conn, id).await?;
        let rights = store::subjects::rights(&mut conn, id).await?;
        Ok(rights.as_ref().map_or_else(nothing, answer))
    }

    /// Gives an account these roles and no others. Its access tokens are stale from then on; its sessions go on with
    /// the new rights, its API keys shrink with them.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:roles:write`; [`Error::TargetOutranksCaller`] where the account may do what
    /// `by` may not; [`Error::ScopeNotHeld`] where a new role may; [`Error::LastAdmin`]; [`Error::UserNotFound`];
    /// [`Error::Invalid`] for a role that is not there.
    pub async fn set_user_roles(
        &self,
        by: &Principal,
        id: Id<User>,
        change: &RolesUpdate,
        device: &Device,
    ) -> Result<SubjectRoles, Error> {
        let (mut conn, mine) = self.begin_change::<RolesWrite>(by).await?;
        let target = self.target_user(&mut conn, by, &mine, id).await?;
        let roles = self.known_roles(&mut conn, &change.roles).await?;
        self.keep_admin_of(&mut conn, &target, &roles).await?;
        let set = self
            .set_roles(&mut conn, by, &mine, &target, &roles, device)
            .await?;
        conn.commit().await?;
        Ok(set)
    }

    /// Gives an account one more role.
    ///
    /// # Errors
    /// As [`Service::set_user_roles`].
    pub async fn grant(
        &self,
        by: &Principal,
        id: Id<User>,
        role: Name,
        device: &Device,
    ) -> Result<SubjectRoles, Error> {
        let (mut conn, mine) = self.begin_change::<RolesWrite>(by).await?;
        let target = self.target_user(&mut conn, by, &mine, id).await?;
        let mut roles = self.known_roles(&mut conn, &[role]).await?;
        for name in target.rights.roles() {
            roles.extend(store::roles::get_named(&mut conn, &name).await?);
        }
        let set = self
            .set_roles(&mut conn, by, &mine, &target, &roles, device)
            .await?;
        conn.commit().await?;
        Ok(set)
    }

    /// As [`Service::grant`], for the account of this e-mail or user name.
    ///
    /// # Errors
    /// As [`Service::set_user_roles`].
    pub async fn grant_to(
        &self,
        by: &Principal,
        login: &Login,
        role: Name,
        device: &Device,
    ) -> Result<SubjectRoles, Error> {
        let found = {
            let mut conn = self.0.db.read().await?;
            self.0.directory.find_by_login(&mut conn, login).await?
        };
        let id = found.ok_or(Error::UserNotFound)?.id;
        self.grant(by, id, role, device).await
    }

    async fn target_user(
        &self,
        conn: &mut Conn,
        by: &Principal,
        mine: &Grants,
        id: Id<User>,
    ) -> Result<Target<User>, Error> {
        let rights = self.admit(conn, id).await.map_err(no_account)?;
        // Only now: whoever deletes the account has waited for the row, or we for them.
        self.find_user(conn, id).await?;
        // Nobody stands above themselves, however narrow their session is.
        if !is_self(by, id) && !mine.cover(&rights.grants()) {
            return Err(Error::TargetOutranksCaller);
        }
        Ok(Target { id, rights })
    }

    async fn find_user(&self, conn: &mut Conn, id: Id<User>) -> Result<(), Error> {
        let account = self.0.directory.find(conn, id).await?;
        account.map(drop).ok_or(Error::UserNotFound)
    }

    async fn keep_admin_of(
        &self,
        conn: &mut Conn,
        target: &Target<User>,
        roles: &[RoleInDb],
    ) -> Result<(), Error> {
        if roles.iter().any(|role| role.name == ADMIN) {
            return Ok(());
        }
        Ok(self.keep_an_admin(conn, target.id).await?)
    }

    /// Gives a user or a service account these roles and no others, in the transaction of the caller, who has `mine`.
    pub(super) async fn set_roles<T>(
        &self,
        conn: &mut Conn,
        by: &Principal,
        mine: &Grants,
        target: &Target<T>,
        roles: &[RoleInDb],
        device: &Device,
    ) -> Result<SubjectRoles, Error> {
        let had = target.rights.roles();
        let added = roles.iter().filter(|role| !had.contains(&role.name));
        let added: Vec<&RoleInDb> = added.collect();
        if !added.iter().all(|role| mine.cover(&role.grants())) {
            return Err(Error::ScopeNotHeld);
        }
        let goes = |name: &&String| roles.iter().all(|role| role.name != **name);
        let removed: Vec<&String> = had.iter().filter(goes).collect();
        for role in &added {
            store::grants::add(conn, target.id, role.id, doer(by), self.now()).await?;
            let entry = Entry::new("grant.added").detail("role", role.name.as_str());
            self.audit_in(conn, entry.by(by).about(target.id.uuid()).from(device))
                .await?;
        }
        for name in removed.iter().copied() {
            store::grants::remove(conn, target.id, name).await?;
            let entry = Entry::new("grant.removed").detail("role", name.as_str());
            self.audit_in(conn, entry.by(by).about(target.id.uuid()).from(device))
                .await?;
        }
        if !added.is_empty() || !removed.is_empty() {
            self.tell_granted(conn, target.id).await?;
        }
        let rights = store::subjects::rights(conn, target.id).await?;
        Ok(rights.as_ref().map_or_else(nothing, answer))
    }

    /// Tokens of before are stale, and whoever wants to know is told.
    async fn tell_granted<T>(&self, conn: &mut Conn, id: Id<T>) -> Result<(), Error> {
        store::subjects::raise_epoch(conn, id).await?;
        let subject = id.uuid();
        self.0
            .publisher
            .publish_in(conn, vec![message::grant_changed(subject)])
            .await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_subject(subject));
        Ok(())
    }
}

fn nothing() -> SubjectRoles {
    SubjectRoles {
        roles: Vec::new(),
        scopes: Vec::new(),
    }
}

pub(super) fn answer(rights: &Rights) -> SubjectRoles {
    let mut roles = rights.roles();
    roles.sort_unstable();
    let scopes = rights.grants().iter().map(str::to_owned).collect();
    SubjectRoles { roles, scopes }
}
