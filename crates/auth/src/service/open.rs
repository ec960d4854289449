use std::collections::BTreeSet;
use std::sync::{Arc, PoisonError};

use cgcg_core::{Conn, Id, Meta, ScopeInfo};
use tokio::sync::Mutex;

use super::{Opened, Service};
use crate::Error;
use crate::keyring::KeyRing;
use crate::store;
use crate::token::{Issuer, Verifier};

/// The role that may do everything.
pub(super) const ADMIN: &str = "admin";
/// The role of every person.
const USER: &str = "user";

impl Service {
    /// Makes ready what is needed to answer: built-in roles with the scopes of `catalogue`, the signing key, the name
    /// of this instance. Call it after the migrations of core and of this crate; several nodes may do so at once.
    /// Until then every credential is answered with [`cgcg_core::Denied::Unavailable`].
    ///
    /// # Errors
    /// [`Error::WrongKey`]: this node has another master key than the one before. [`Error::Key`]: the program chose
    /// no crypto for `jsonwebtoken`. [`Error::Settings`]: `roles.default` names a role that is not there.
    pub async fn open(&self, catalogue: &[ScopeInfo]) -> Result<(), Error> {
        self.write_roles(catalogue).await?;
        let keys = match self.load_keys().await? {
            Some(keys) => keys,
            None => self.first_keys().await?,
        };
        let ring = KeyRing::new(keys);
        ring.self_test()?;
        let issuer = self.issuer().await?;
        let verifier = Verifier::new(ring.clone(), issuer.clone());
        let mut opened = self
            .0
            .opened
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        *opened = Some(Arc::new(Opened {
            ring,
            issuer,
            verifier,
            reload: Mutex::default(),
            catalogue: catalogue.to_vec(),
        }));
        Ok(())
    }

    async fn issuer(&self) -> Result<Issuer, Error> {
        let tokens = &self.0.settings.tokens;
        let own = Id::<Service>::new(self.now()).to_string();
        let instance = Meta::claim(&self.0.db, "instance", &own).await?;
        let iss = tokens
            .issuer
            .clone()
            .or_else(|| self.0.host.public_url.clone());
        let iss = iss.unwrap_or_else(|| format!("urn:cgcg:{instance}"));
        let aud = tokens.audience.clone().unwrap_or_else(|| iss.clone());
        Ok(Issuer {
            iss,
            aud,
            ttl: tokens.access_ttl,
        })
    }

    /// Writes only what differs, so that a start without news takes no writer.
    async fn write_roles(&self, catalogue: &[ScopeInfo]) -> Result<(), Error> {
        let all = [ScopeInfo {
            name: "*",
            about: "",
            roles: &[ADMIN],
        }];
        let builtin = [
            (ADMIN, "May do everything."),
            (USER, "What every person may do."),
        ];
        for (role, about) in builtin {
            let scopes: Vec<&ScopeInfo> = all.iter().chain(catalogue).collect();
            self.write_role(role, about, &scopes).await?;
        }
        let mut conn = self.0.db.read().await?;
        for role in &self.0.settings.roles.default {
            if store::roles::find(&mut conn, role).await?.is_none() {
                return Err(Error::Settings(format!(
                    "roles.default: there is no role {role:?}"
                )));
            }
        }
        Ok(())
    }

    async fn write_role(
        &self,
        role: &str,
        about: &str,
        scopes: &[&ScopeInfo],
    ) -> Result<(), Error> {
        let mut conn = self.0.db.read().await?;
        let exists = store::roles::find(&mut conn, role).await?.is_some();
        if exists && difference(&mut conn, role, scopes).await?.is_empty() {
            return Ok(());
        }
        drop(conn);
        let mut conn = self.0.db.begin().await?;
        store::roles::insert_builtin(&mut conn, Id::new(self.now()), role, about).await?;
        // From here on the other node waits, and finds nothing left to do.
        store::roles::lock(&mut conn, role).await?;
        let id = store::roles::find(&mut conn, role)
            .await?
            .ok_or(sqlx::Error::RowNotFound)?;
        for change in difference(&mut conn, role, scopes).await? {
            match change {
                Change::Add(scope) => store::roles::add_scope(&mut conn, id, scope).await?,
                Change::Remove(scope) => store::roles::remove_scope(&mut conn, id, scope).await?,
            }
        }
        Ok(conn.commit().await?)
    }
}

enum Change {
    Add(&'static str),
    Remove(&'static str),
}

/// What a built-in role lacks or has too much. Scopes that this build does not know stay: another build may.
async fn difference(
    conn: &mut Conn,
    role: &str,
    scopes: &[&ScopeInfo],
) -> sqlx::Result<Vec<Change>> {
    let has: BTreeSet<String> = store::roles::scopes(conn, role)
        .await?
        .into_iter()
        .collect();
    let change = |scope: &&ScopeInfo| match (scope.roles.contains(&role), has.contains(scope.name))
    {
        (true, false) => Some(Change::Add(scope.name)),
        (false, true) => Some(Change::Remove(scope.name)),
        _ => None,
    };
    Ok(scopes.iter().filter_map(change).collect())
}
