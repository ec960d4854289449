//! What somebody may do at the moment in which they use it to change what others may do.

use cgcg_core::{Conn, Denied, Grants, Id, Invalid, Principal, Proof, ScopeSpec, User};
use uuid::Uuid;

use super::Service;
use super::open::ADMIN;
use crate::schemas::{Name, RoleInDb};
use crate::{Error, store};

/// Scopes of one role or key.
const SCOPES: usize = 200;
/// Roles of one account.
const ROLES: usize = 32;
const ALL: &str = "*";

impl Service {
    /// Begins a change of rights by somebody who has the scope `S`; answers what they may do. One such change follows
    /// the other: they all hold the row of the role `admin`, so that what one of them has read stays true.
    pub(super) async fn begin_change<S: ScopeSpec>(
        &self,
        by: &Principal,
    ) -> Result<(Conn, Grants), Error> {
        // Before anything waits: a stranger must not hold others up.
        require::<S>(&by.grants)?;
        let mut conn = self.0.db.begin().await?;
        store::roles::lock(&mut conn, ADMIN).await?;
        let mine = self.current(&mut conn, by).await?;
        require::<S>(&mine)?;
        Ok((conn, mine))
    }

    /// What `by` may do by the rows of this transaction, and not more than they could when they came in.
    pub(super) async fn current(&self, conn: &mut Conn, by: &Principal) -> Result<Grants, Error> {
        let now = match by.proof {
            Proof::Session(session) => self.session_now(conn, session).await?,
            Proof::ApiKey(key) => self.key_now(conn, key).await?,
            // The shell, and what hosts without our sessions prove by.
            _ => return Ok(by.grants.clone()),
        };
        let now = now.filter(|now| now.subject == by.subject);
        let now = now.ok_or(Error::Denied(Denied::Stale))?;
        Ok(now.grants.narrow(&by.grants))
    }

    /// The scopes, if this build knows them all or they are among those `kept` of before.
    pub(super) fn known_scopes(&self, scopes: &[String], kept: &Grants) -> Result<Grants, Error> {
        if scopes.len() > SCOPES {
            return Err(too_many("scopes", SCOPES));
        }
        let opened = self.opened()?;
        let known = |name: &str| {
            name == ALL
                || opened.catalogue.iter().any(|scope| scope.name == name)
                || kept.iter().any(|kept| kept == name)
        };
        if scopes.iter().all(|name| known(name)) {
            return Ok(scopes.iter().map(String::as_str).collect());
        }
        let rule = "expected names of scopes that are there";
        Err(Error::invalid(
            "scopes",
            Invalid::new("scope_unknown", rule),
        ))
    }

    /// The roles of these names, each once.
    pub(super) async fn known_roles(
        &self,
        conn: &mut Conn,
        names: &[Name],
    ) -> Result<Vec<RoleInDb>, Error> {
        if names.len() > ROLES {
            return Err(too_many("roles", ROLES));
        }
        let mut names: Vec<&Name> = names.iter().collect();
        names.sort_unstable();
        names.dedup();
        let mut roles = Vec::with_capacity(names.len());
        for name in names {
            let role = store::roles::get_named(conn, name.as_str()).await?;
            let unknown = || Invalid::new("role_unknown", "expected names of roles that are there");
            roles.push(role.ok_or_else(|| Error::invalid("roles", unknown()))?);
        }
        Ok(roles)
    }
}

/// Refuses whoever lacks the scope `S`.
pub(super) fn require<S: ScopeSpec>(grants: &Grants) -> Result<(), Error> {
    match S::missing(grants) {
        None => Ok(()),
        Some(scope) => Err(Denied::MissingScope(scope).into()),
    }
}

/// Refuses whoever may not do everything.
pub(super) fn all_held(by: &Principal) -> Result<(), Error> {
    if by.grants.cover(&Grants::all()) {
        Ok(())
    } else {
        Err(Error::ScopeNotHeld)
    }
}

/// Whether it is the person themselves who acts. A key of theirs is not: it may do what it was made for, and no more.
pub(super) fn is_self(by: &Principal, id: Id<User>) -> bool {
    by.user() == Some(id) && matches!(by.proof, Proof::Session(_))
}

/// As it is stored of a deed; `None` for the command line.
pub(super) fn doer(by: &Principal) -> Option<Uuid> {
    Some(by.subject.uuid()).filter(|id| !id.is_nil())
}

/// Where the next page begins. Ids sort by creation.
pub(super) fn after(cursor: Option<cgcg_core::Cursor>) -> Uuid {
    cursor.map_or(Uuid::nil(), |cursor| cursor.id)
}

fn too_many(field: &'static str, most: usize) -> Error {
    let rule = format!("expected at most {most}");
    Error::invalid(field, Invalid::new("out_of_range", rule))
}
