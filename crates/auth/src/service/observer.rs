use cgcg_core::{
    AccountChange, AccountObserver, AccountStatus, BoxFuture, Conn, DirectoryError, Grants, Id,
    ObserverError, Principal, User,
};
use tracing::error;

use super::Service;
use super::open::ADMIN;
use super::rights::is_self;
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::{Error, store};

/// Administrators whose accounts are looked at, at most: one that is active is enough.
const MANY: i64 = 1_000;

impl AccountObserver for Service {
    /// Ends what the change ends, or refuses: `target_outranks_caller`, `last_admin`, `token_stale`, and
    /// `use_email_change` for one's own address, which asks for the password ([`Service::change_email`]).
    fn before_change<'a>(
        &'a self,
        conn: &'a mut Conn,
        by: &'a Principal,
        id: Id<User>,
        change: AccountChange,
    ) -> BoxFuture<'a, Result<(), ObserverError>> {
        Box::pin(async move {
            // Whoever gives or takes rights holds these rows too, in this order: what is read next stays true.
            store::roles::lock(conn, ADMIN).await?;
            store::subjects::lock(conn, id).await?;
            self.may_change(conn, by, id).await?;
            match change {
                // An administrator opens an account that failed logins have closed.
                AccountChange::Enabled => self.forgive_in(conn, id).await?,
                // Whoever has the address has the account. No scope is enough for that, and no stolen token.
                AccountChange::EmailChanged if by.user() == Some(id) => {
                    return Err(ObserverError::Refused {
                        code: "use_email_change",
                    });
                }
                AccountChange::EmailChanged => {
                    self.end_all(conn, id, "email").await?;
                    store::one_time::end(conn, id, None, self.now()).await?;
                    self.tell_old_address(conn, id).await?;
                }
                AccountChange::Disabled => {
                    self.keep_an_admin(conn, id).await?;
                    self.end_all(conn, id, "disabled").await?;
                    store::one_time::end(conn, id, None, self.now()).await?;
                    self.end_keys_in(conn, id, Some(by), "disabled").await?;
                }
                AccountChange::Deleted => {
                    self.keep_an_admin(conn, id).await?;
                    self.end_all(conn, id, "deleted").await?;
                    self.end_keys_in(conn, id, Some(by), "deleted").await?;
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
    async fn may_change(
        &self,
        conn: &mut Conn,
        by: &Principal,
        id: Id<User>,
    ) -> Result<(), ObserverError> {
        let mine = match self.current(conn, by).await {
            Ok(mine) => mine,
            Err(Error::Denied(_)) => {
                return Err(ObserverError::Refused {
                    code: "token_stale",
                });
            }
            Err(error) => return Err(failed(error)),
        };
        if outranks(conn, by, &mine, id).await? {
            return Err(ObserverError::Refused {
                code: "target_outranks_caller",
            });
        }
        Ok(())
    }

    /// Refuses where `id` is the only administrator who can log in. Hold the row of the role: whoever removes another
    /// administrator waits for it, and counts after us.
    pub(super) async fn keep_an_admin(
        &self,
        conn: &mut Conn,
        id: Id<User>,
    ) -> Result<(), ObserverError> {
        let holders = store::grants::holders(conn, ADMIN, MANY).await?;
        if !holders.contains(&id) {
            return Ok(());
        }
        for other in holders {
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

    async fn end_all(
        &self,
        conn: &mut Conn,
        id: Id<User>,
        reason: &'static str,
    ) -> Result<(), ObserverError> {
        let ended = self.end_sessions_in(conn, id, None, reason).await;
        ended.map(drop).map_err(failed)
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
        store::grants::delete_of(conn, id).await?;
        store::throttle::delete_of(conn, id).await?;
        store::audit::forget(conn, id).await?;
        Ok(store::subjects::delete(conn, id).await?)
    }
}

/// Whether the account may do what is not among `mine`, the rights of `by`. Nobody outranks themselves.
pub(super) async fn outranks(
    conn: &mut Conn,
    by: &Principal,
    mine: &Grants,
    id: Id<User>,
) -> sqlx::Result<bool> {
    if is_self(by, id) {
        return Ok(false);
    }
    let rights = store::subjects::rights(conn, id).await?;
    Ok(rights.is_some_and(|rights| !mine.cover(&rights.grants())))
}

/// The seam has no other word for it. The caller rolls back in either case.
fn failed(error: Error) -> ObserverError {
    match error {
        Error::Database(error) => error.into(),
        error => {
            error!(%error, "a change of an account could not be followed");
            ObserverError::Database(sqlx::Error::WorkerCrashed)
        }
    }
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
