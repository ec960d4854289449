use cgcg_core::{
    AccountChange, AccountObserver, AccountStatus, BoxFuture, Conn, DirectoryError, Id,
    ObserverError, Principal, Proof, User,
};
use tracing::error;

use super::Service;
use super::open::ADMIN;
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::{Error, store};

/// Administrators whose accounts are looked at, at most: one that is active is enough.
const MANY: i64 = 1_000;

impl AccountObserver for Service {
    /// Ends what the change ends, or refuses: `target_outranks_caller`, `last_admin`.
    fn before_change<'a>(
        &'a self,
        conn: &'a mut Conn,
        by: &'a Principal,
        id: Id<User>,
        change: AccountChange,
    ) -> BoxFuture<'a, Result<(), ObserverError>> {
        Box::pin(async move {
            self.may_change(conn, by, id).await?;
            match change {
                // An administrator opens an account that failed logins have closed.
                AccountChange::Enabled => self.forgive_in(conn, id).await?,
                AccountChange::EmailChanged => {
                    self.end_all(conn, id, by, "email").await?;
                    store::one_time::end(conn, id, None, self.now()).await?;
                    self.tell_old_address(conn, id).await?;
                }
                AccountChange::Disabled => {
                    self.keep_an_admin(conn, id).await?;
                    self.end_all(conn, id, by, "disabled").await?;
                    self.end_keys_in(conn, id, by, "disabled").await?;
                }
                AccountChange::Deleted => {
                    self.keep_an_admin(conn, id).await?;
                    self.end_all(conn, id, by, "deleted").await?;
                    self.end_keys_in(conn, id, by, "deleted").await?;
                    self.erase(conn, id).await?;
                }
            }
            let entry = Entry::new(action(change)).by(by).about(id.uuid());
            self.audit_in(conn, entry).await?;
            if change != AccountChange::Deleted {
                store::subjects::raise_epoch(conn, id).await?;
            }
            let service = self.clone();
            conn.on_commit(move || service.0.cache.clear_user(id));
            Ok(())
        })
    }
}

impl Service {
    /// Everybody may change themselves. Others only whose rights one has oneself, else one scope would be all scopes.
    pub(super) async fn may_change(
        &self,
        conn: &mut Conn,
        by: &Principal,
        id: Id<User>,
    ) -> Result<(), ObserverError> {
        if outranks(conn, by, id).await? {
            return Err(ObserverError::Refused {
                code: "target_outranks_caller",
            });
        }
        Ok(())
    }

    /// Refuses where `id` is the only administrator who can log in.
    pub(super) async fn keep_an_admin(
        &self,
        conn: &mut Conn,
        id: Id<User>,
    ) -> Result<(), ObserverError> {
        if !store::roles::holders(conn, ADMIN, MANY)
            .await?
            .contains(&id)
        {
            return Ok(());
        }
        // Whoever removes another administrator waits here, and counts after us.
        store::roles::lock(conn, ADMIN).await?;
        for other in store::roles::holders(conn, ADMIN, MANY).await? {
            if other != id && self.is_active(conn, other).await? {
                return Ok(());
            }
        }
        Err(ObserverError::Refused { code: "last_admin" })
    }

    async fn is_active(&self, conn: &mut Conn, id: Id<User>) -> Result<bool, ObserverError> {
        match self.0.directory.find(conn, id).await {
            Ok(account) => {
                Ok(account.is_some_and(|account| account.status == AccountStatus::Active))
            }
            Err(DirectoryError::Database(error)) => Err(error.into()),
            Err(_) => Ok(false),
        }
    }

    /// Ends the sessions of an account; not the one through which its owner changes the e-mail.
    async fn end_all(
        &self,
        conn: &mut Conn,
        id: Id<User>,
        by: &Principal,
        reason: &'static str,
    ) -> Result<(), ObserverError> {
        // First the row that logins hold, so that none slips in between.
        store::subjects::lock(conn, id).await?;
        let keep = match by.proof {
            Proof::Session(session) if by.user() == Some(id) && reason == "email" => Some(session),
            _ => None,
        };
        let ended = store::sessions::revoke_of(conn, id, keep, reason, self.now()).await?;
        match self.tell_ended(conn, id, &ended, reason).await {
            Ok(()) => Ok(()),
            Err(Error::Database(error)) => Err(error.into()),
            Err(error) => {
                error!(%error, "the end of sessions could not be published");
                Err(ObserverError::Database(sqlx::Error::WorkerCrashed))
            }
        }
    }

    async fn tell_old_address(&self, conn: &mut Conn, id: Id<User>) -> Result<(), ObserverError> {
        let account = match self.0.directory.find(conn, id).await {
            Err(DirectoryError::Database(error)) => return Err(error.into()),
            found => found.ok().flatten(),
        };
        if let Some(account) = account {
            self.mail_in(conn, Letter::to(&account, Template::EmailChanged))
                .await?;
        }
        Ok(())
    }

    /// Every row of the account, in the caller's transaction.
    async fn erase(&self, conn: &mut Conn, id: Id<User>) -> Result<(), ObserverError> {
        match self.0.directory.find(conn, id).await {
            Ok(Some(account)) => store::outbox::delete_to(conn, account.email.as_str()).await?,
            Err(DirectoryError::Database(error)) => return Err(error.into()),
            Ok(None) | Err(_) => {}
        }
        store::sessions::delete_of(conn, id).await?;
        store::passwords::delete(conn, id).await?;
        store::one_time::delete_of(conn, id).await?;
        store::idempotency::delete_of(conn, id).await?;
        store::api_keys::delete_of(conn, id.uuid()).await?;
        store::roles::delete_grants(conn, id).await?;
        store::throttle::delete_of(conn, id).await?;
        store::audit::forget(conn, id).await?;
        Ok(store::subjects::delete(conn, id).await?)
    }
}

/// Whether the account may do what `by` may not. Nobody outranks themselves.
pub(super) async fn outranks(conn: &mut Conn, by: &Principal, id: Id<User>) -> sqlx::Result<bool> {
    if by.user() == Some(id) {
        return Ok(false);
    }
    let rights = store::subjects::rights(conn, id).await?;
    Ok(rights.is_some_and(|rights| !by.grants.cover(&rights.grants())))
}

/// As the audit has it.
const fn action(change: AccountChange) -> &'static str {
    match change {
        AccountChange::Disabled => "account.disabled",
        AccountChange::Enabled => "account.enabled",
        AccountChange::EmailChanged => "account.email_changed",
        AccountChange::Deleted => "account.deleted",
    }
}
