use std::error::Error as StdError;
use std::sync::Arc;

use cgcg_core::{
    Account, BoxFuture, Clock, Conn, DirectoryError, Email, Id, Login, NewAccount, Publisher,
    SeamError, UserDirectory,
};

use crate::schemas::UserInDb;
use crate::store::NewRow;
use crate::{DisplayName, Locale, UserId, message, store};

/// Accounts for whoever keeps credentials: works on the caller's connection, in the caller's transaction.
///
/// A cheap clone. It holds no [`crate::Service`], so that the two can be made in either order.
#[derive(Clone)]
pub struct Directory {
    clock: Arc<dyn Clock>,
    publisher: Arc<dyn Publisher>,
}

impl Directory {
    /// Works on databases where [`crate::MIGRATIONS`] have run. Changes are published through `publisher`.
    pub fn new(clock: Arc<dyn Clock>, publisher: Arc<dyn Publisher>) -> Self {
        Self { clock, publisher }
    }

    /// Stores an active account and says so. A taken name leaves the transaction usable.
    pub(crate) async fn insert(
        &self,
        conn: &mut Conn,
        new: &NewAccount,
    ) -> Result<UserInDb, DirectoryError> {
        // Whoever calls has answered for wrong texts already; what slipped through must not be stored.
        let display_name = new.display_name.as_deref().map(str::parse::<DisplayName>);
        let locale = new.locale.as_deref().map(str::parse::<Locale>);
        let (display_name, locale) = (display_name.transpose(), locale.transpose());
        let (display_name, locale) = (display_name.map_err(encode)?, locale.map_err(encode)?);
        let now = self.clock.now();
        let canonical = new.email.canonical();
        let row = NewRow {
            id: Id::new(now),
            email: new.email.as_str(),
            canonical: &canonical,
            email_verified_at: new.email_verified.then_some(now),
            username: new.username.as_ref().map(cgcg_core::Username::as_str),
            display_name: display_name.as_ref().map(DisplayName::as_str),
            locale: locale.as_ref().map(Locale::as_str),
            created_at: now,
        };
        if !store::insert(conn, &row).await? {
            return Err(match store::email_taken(conn, &canonical, row.id).await? {
                true => DirectoryError::EmailTaken,
                false => DirectoryError::UsernameTaken,
            });
        }
        self.publish(conn, message::CREATED, row.id).await?;
        store::find(conn, row.id)
            .await?
            .ok_or(DirectoryError::NotFound)
    }

    async fn replace_email(
        &self,
        conn: &mut Conn,
        id: UserId,
        email: &Email,
        verified: bool,
    ) -> Result<(), DirectoryError> {
        let now = self.clock.now();
        let canonical = email.canonical();
        // Asked first, because a unique violation would end the caller's transaction on PostgreSQL. Only somebody who
        // takes the address at this very moment still causes one.
        if store::email_taken(conn, &canonical, id).await? {
            return Err(DirectoryError::EmailTaken);
        }
        let verified_at = verified.then_some(now);
        match store::set_email(conn, id, email.as_str(), &canonical, verified_at, now).await {
            Ok(true) => self.publish(conn, message::UPDATED, id).await,
            Ok(false) => Err(DirectoryError::NotFound),
            Err(sqlx::Error::Database(error)) if error.is_unique_violation() => {
                Err(DirectoryError::EmailTaken)
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn publish(
        &self,
        conn: &mut Conn,
        topic: &'static str,
        id: UserId,
    ) -> Result<(), DirectoryError> {
        match message::publish(&*self.publisher, conn, topic, id).await {
            Ok(()) => Ok(()),
            Err(SeamError::Database(error)) => Err(error.into()),
            // The seam of accounts has no word for it. The caller rolls back in either case.
            Err(error) => Err(sqlx::Error::Io(std::io::Error::other(error)).into()),
        }
    }
}

impl UserDirectory for Directory {
    fn find<'a>(
        &'a self,
        conn: &'a mut Conn,
        id: UserId,
    ) -> BoxFuture<'a, Result<Option<Account>, DirectoryError>> {
        Box::pin(async move { Ok(store::find(conn, id).await?.map(account).transpose()?) })
    }

    fn find_by_login<'a>(
        &'a self,
        conn: &'a mut Conn,
        login: &'a Login,
    ) -> BoxFuture<'a, Result<Option<Account>, DirectoryError>> {
        Box::pin(async move {
            let row = match login {
                Login::Email(email) => store::find_by_email(conn, &email.canonical()).await?,
                Login::Username(name) => store::find_by_username(conn, name.as_str()).await?,
            };
            Ok(row.map(account).transpose()?)
        })
    }

    fn create<'a>(
        &'a self,
        conn: &'a mut Conn,
        new: NewAccount,
    ) -> BoxFuture<'a, Result<Account, DirectoryError>> {
        Box::pin(async move { Ok(account(self.insert(conn, &new).await?)?) })
    }

    fn set_email<'a>(
        &'a self,
        conn: &'a mut Conn,
        id: UserId,
        email: &'a Email,
        verified: bool,
    ) -> BoxFuture<'a, Result<(), DirectoryError>> {
        Box::pin(self.replace_email(conn, id, email, verified))
    }
}

fn account(row: UserInDb) -> sqlx::Result<Account> {
    Ok(Account {
        id: row.id,
        email: row.base.email.parse().map_err(decode)?,
        email_verified_at: row.email_verified_at,
        username: row
            .base
            .username
            .map(|name| name.parse())
            .transpose()
            .map_err(decode)?,
        display_name: row.base.display_name,
        status: row.status,
        created_at: row.created_at,
    })
}

fn decode(error: impl StdError + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}

fn encode(error: impl StdError + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Encode(Box::new(error))
}
