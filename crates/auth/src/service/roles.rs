use cgcg_core::{Conn, Grants, Id, Page, PageRequest, Principal};

use super::Service;
use super::rights::{after, require};
use crate::audit::Entry;
use crate::schemas::{Device, Role, RoleCreate, RoleId, RoleInDb, RoleUpdate, Scope};
use crate::scopes::{RolesRead, RolesWrite};
use crate::{Error, message, store};

impl Service {
    /// A page of all roles, oldest first.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:roles:read`, [`Error::Database`].
    pub async fn roles(&self, by: &Principal, page: PageRequest) -> Result<Page<Role>, Error> {
        require::<RolesRead>(&by.grants)?;
        let mut conn = self.0.db.read().await?;
        let rows = store::roles::list(&mut conn, after(page.cursor), page.limit).await?;
        Ok(Page::of(rows, page.limit, RoleInDb::cursor).map(Role::from))
    }

    /// One role.
    ///
    /// # Errors
    /// As [`Service::roles`], and [`Error::RoleNotFound`].
    pub async fn role(&self, by: &Principal, id: RoleId) -> Result<Role, Error> {
        require::<RolesRead>(&by.grants)?;
        let row = store::roles::get(&mut self.0.db.read().await?, id).await?;
        row.map(Role::from).ok_or(Error::RoleNotFound)
    }

    /// All scopes that this build asks for, and those that roles have and nothing here asks for.
    ///
    /// # Errors
    /// As [`Service::roles`], and [`Error::NotOpen`].
    pub async fn scopes(&self, by: &Principal) -> Result<Vec<Scope>, Error> {
        require::<RolesRead>(&by.grants)?;
        let opened = self.opened()?;
        let stored = store::roles::stored_scopes(&mut self.0.db.read().await?).await?;
        let known = opened.catalogue.iter().map(|scope| Scope {
            name: scope.name.to_owned(),
            about: scope.about.to_owned(),
            roles: scope.roles.iter().copied().map(str::to_owned).collect(),
            unknown: false,
        });
        let is_known = |name: &String| opened.catalogue.iter().any(|scope| scope.name == name);
        let unknown = stored
            .into_iter()
            .filter(|name| name != "*" && !is_known(name));
        let mut scopes: Vec<Scope> = known.chain(unknown.map(unknown_scope)).collect();
        scopes.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(scopes)
    }

    /// Makes a role.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:roles:write`; [`Error::ScopeNotHeld`] where `by` lacks one of its scopes;
    /// [`Error::NameTaken`]; [`Error::Invalid`] for a scope that nobody knows.
    pub async fn create_role(
        &self,
        by: &Principal,
        new: RoleCreate,
        device: &Device,
    ) -> Result<Role, Error> {
        let scopes = self.known_scopes(&new.scopes, &Grants::default())?;
        let (mut conn, mine) = self.begin_change::<RolesWrite>(by).await?;
        if !mine.cover(&scopes) {
            return Err(Error::ScopeNotHeld);
        }
        let id = Id::new(self.now());
        if !store::roles::insert(&mut conn, id, new.name.as_str(), new.about.as_str()).await? {
            return Err(Error::NameTaken);
        }
        self.write_scopes(&mut conn, id, &Grants::default(), &scopes)
            .await?;
        let entry = Entry::new("role.created")
            .by(by)
            .about(id.uuid())
            .from(device);
        self.audit_in(&mut conn, entry.detail("role", new.name.as_str()))
            .await?;
        self.finish_role(conn, id).await
    }

    /// Changes a role, at once for everybody who has it: no new token is needed. `if_match` is the version that the
    /// caller read.
    ///
    /// # Errors
    /// As [`Service::create_role`], where `by` needs the scopes of before as well; [`Error::RoleNotFound`],
    /// [`Error::BuiltinRole`], [`Error::VersionMismatch`].
    pub async fn update_role(
        &self,
        by: &Principal,
        id: RoleId,
        change: RoleUpdate,
        if_match: Option<i64>,
        device: &Device,
    ) -> Result<Role, Error> {
        let (mut conn, mine) = self.begin_change::<RolesWrite>(by).await?;
        let before = changeable(&mut conn, &mine, id, if_match).await?;
        let (had, about) = (before.grants(), change.about.map(String::from));
        let scopes = match &change.scopes {
            Some(scopes) => self.known_scopes(scopes, &had)?,
            None => had.clone(),
        };
        if !mine.cover(&scopes) {
            return Err(Error::ScopeNotHeld);
        }
        let about = about.unwrap_or_else(|| before.about.clone());
        if about == before.about && scopes == had {
            return Ok(before.into());
        }
        store::roles::save(&mut conn, id, &about).await?;
        self.write_scopes(&mut conn, id, &had, &scopes).await?;
        let entry = Entry::new("role.updated")
            .by(by)
            .about(id.uuid())
            .from(device);
        let entry = entry.detail("added", words(&scopes, &had));
        self.audit_in(&mut conn, entry.detail("removed", words(&had, &scopes)))
            .await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_all());
        self.finish_role(conn, id).await
    }

    /// Removes a role, and takes it from everybody who has it.
    ///
    /// # Errors
    /// As [`Service::update_role`], and [`Error::RoleInUse`] where the settings give it to new accounts.
    pub async fn remove_role(
        &self,
        by: &Principal,
        id: RoleId,
        if_match: Option<i64>,
        device: &Device,
    ) -> Result<(), Error> {
        let (mut conn, mine) = self.begin_change::<RolesWrite>(by).await?;
        let role = changeable(&mut conn, &mine, id, if_match).await?;
        if self.0.settings.roles.default.contains(&role.name) {
            return Err(Error::RoleInUse);
        }
        let holders = store::grants::remove_all(&mut conn, id).await?;
        store::roles::delete(&mut conn, id).await?;
        let entry = Entry::new("role.deleted")
            .by(by)
            .about(id.uuid())
            .from(device);
        let entry = entry
            .detail("role", role.name)
            .detail("holders", holders.len());
        self.audit_in(&mut conn, entry).await?;
        let messages = holders.into_iter().map(message::grant_changed).collect();
        self.0.publisher.publish_in(&mut conn, messages).await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_all());
        Ok(conn.commit().await?)
    }

    async fn write_scopes(
        &self,
        conn: &mut Conn,
        id: RoleId,
        had: &Grants,
        scopes: &Grants,
    ) -> Result<(), Error> {
        for scope in missing(had, scopes) {
            store::roles::remove_scope(conn, id, scope).await?;
        }
        for scope in missing(scopes, had) {
            store::roles::add_scope(conn, id, scope).await?;
        }
        Ok(())
    }

    async fn finish_role(&self, mut conn: Conn, id: RoleId) -> Result<Role, Error> {
        let row = store::roles::get(&mut conn, id).await?;
        conn.commit().await?;
        row.map(Role::from).ok_or(Error::RoleNotFound)
    }
}

/// A role that whoever has `mine` may change or remove.
async fn changeable(
    conn: &mut Conn,
    mine: &Grants,
    id: RoleId,
    if_match: Option<i64>,
) -> Result<RoleInDb, Error> {
    let role = store::roles::get(conn, id)
        .await?
        .ok_or(Error::RoleNotFound)?;
    if role.builtin {
        return Err(Error::BuiltinRole);
    }
    if if_match.is_some_and(|version| version != role.version) {
        return Err(Error::VersionMismatch);
    }
    if mine.cover(&role.grants()) {
        Ok(role)
    } else {
        Err(Error::ScopeNotHeld)
    }
}

fn unknown_scope(name: String) -> Scope {
    Scope {
        name,
        about: String::new(),
        roles: Vec::new(),
        unknown: true,
    }
}

/// The scopes of `these` that are none of `those`, by their names alone: `*` is one of them.
fn missing<'a>(these: &'a Grants, those: &'a Grants) -> impl Iterator<Item = &'a str> {
    these
        .iter()
        .filter(|scope| those.iter().all(|other| other != *scope))
}

fn words(these: &Grants, those: &Grants) -> Vec<String> {
    missing(these, those).map(str::to_owned).collect()
}
