mod change;
mod list;

use std::sync::Arc;

use cgcg_core::{
    AccountChange, AccountObserver, AccountStatus, Clock, Coalescer, Conn, Db, NewAccount, Page,
    PageRequest, Principal, Proof, Publisher, SingleFlight,
};

use crate::schemas::UserInDb;
use crate::{
    Directory, Error, MeUpdate, Settings, User, UserCreate, UserFilter, UserId, UserUpdate,
    message, store,
};

/// The rules of accounts. A cheap clone; one per process.
///
/// Each change tells the observers first, then changes the row and publishes what happened, all in one transaction.
#[derive(Clone)]
pub struct Service(Arc<Inner>);

struct Inner {
    db: Db,
    clock: Arc<dyn Clock>,
    settings: Settings,
    directory: Directory,
    observers: Vec<Arc<dyn AccountObserver>>,
    publisher: Arc<dyn Publisher>,
    /// By id, for whoever asks outside of a transaction.
    rows: Coalescer<UserId, UserInDb>,
    lists: SingleFlight<(UserFilter, PageRequest), Arc<Page<User>>>,
}

impl Service {
    /// Works on a database where [`crate::MIGRATIONS`] have run, with settings whose `validate` found nothing.
    ///
    /// `observers` are asked in this order, and the first that refuses ends it.
    pub fn new(
        db: Db,
        clock: Arc<dyn Clock>,
        settings: Settings,
        directory: Directory,
        observers: Vec<Arc<dyn AccountObserver>>,
        publisher: Arc<dyn Publisher>,
    ) -> Self {
        let (reader, lister) = (db.clone(), db.clone());
        let lists = SingleFlight::new(move |(filter, page): (UserFilter, PageRequest)| {
            let db = lister.clone();
            Box::pin(async move {
                let rows = list::rows(&mut db.read().await?, &filter, page).await?;
                let page = Page::of(rows, page.limit, UserInDb::cursor);
                Ok(Arc::new(page.map(User::from)))
            })
        });
        let rows = Coalescer::new(move |ids| {
            let db = reader.clone();
            Box::pin(async move { store::find_each(&mut db.read().await?, &ids).await })
        });
        Self(Arc::new(Inner {
            rows,
            lists,
            db,
            clock,
            settings,
            directory,
            observers,
            publisher,
        }))
    }

    /// One account.
    ///
    /// # Errors
    /// [`Error::NotFound`].
    pub async fn get(&self, id: UserId) -> Result<User, Error> {
        let row = self.0.rows.get(id).await?;
        row.map(User::from).ok_or(Error::NotFound)
    }

    /// A page of the accounts that fit `filter`, by time of creation. Pages of one list have one filter.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn list(
        &self,
        filter: UserFilter,
        page: PageRequest,
    ) -> Result<Arc<Page<User>>, Error> {
        Ok(self.0.lists.get((filter, page)).await?)
    }

    /// Stores an active account with an e-mail that nobody has verified yet, and no credentials: those are auth's.
    ///
    /// # Errors
    /// [`Error::EmailTaken`], [`Error::UsernameTaken`]; [`Error::Invalid`] for a user name where there are none.
    pub async fn create(&self, by: &Principal, new: UserCreate) -> Result<User, Error> {
        self.check_username(new.username.is_some())?;
        let new = NewAccount {
            email: new.email,
            email_verified: false,
            username: new.username,
            display_name: new.display_name.map(String::from),
            locale: new.locale.map(String::from),
        };
        let mut conn = self.0.db.begin().await?;
        let row = self.0.directory.insert(&mut conn, &new).await?;
        conn.commit().await?;
        tracing::info!(user.id = %row.id, by = %by.subject, "account created");
        Ok(row.into())
    }

    /// Changes an account; `if_match` is the version that the caller has read. Nothing new changes nothing.
    ///
    /// Another e-mail has nobody verified, and the observers are asked ([`AccountChange::EmailChanged`]).
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::VersionMismatch`], [`Error::EmailTaken`], [`Error::UsernameTaken`],
    /// [`Error::Refused`]; [`Error::Invalid`] for JSON over the settings' size or a user name where there are none.
    pub async fn update(
        &self,
        by: &Principal,
        id: UserId,
        change: UserUpdate,
        if_match: Option<i64>,
    ) -> Result<User, Error> {
        self.check_username(matches!(change.username, Some(Some(_))))?;
        self.check_size("profile", change.profile.as_ref())?;
        self.check_size("app_data", change.app_data.as_ref())?;
        self.write(by, id, change, if_match).await
    }

    /// As [`Service::update`], of the caller's own account and only what is theirs to change.
    ///
    /// # Errors
    /// [`Error::PersonRequired`] for machines, and for a person's API key: a key has scopes, and none is for this.
    pub async fn update_me(
        &self,
        by: &Principal,
        change: MeUpdate,
        if_match: Option<i64>,
    ) -> Result<User, Error> {
        let id = by.user().filter(|_| !matches!(by.proof, Proof::ApiKey(_)));
        self.update(
            by,
            id.ok_or(Error::PersonRequired)?,
            change.into(),
            if_match,
        )
        .await
    }

    /// Stops an account. Stopped already, it stays as it is.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`], as for the last administrator.
    pub async fn disable(&self, by: &Principal, id: UserId) -> Result<User, Error> {
        self.set_status(
            by,
            id,
            AccountStatus::Disabled,
            AccountChange::Disabled,
            message::DISABLED,
        )
        .await
    }

    /// Lets an account be used again. Active already, it stays as it is; observers are asked all the same, since auth opens
    /// then what failed logins have closed.
    ///
    /// # Errors
    /// [`Error::NotFound`], [`Error::Refused`].
    pub async fn enable(&self, by: &Principal, id: UserId) -> Result<User, Error> {
        self.set_status(
            by,
            id,
            AccountStatus::Active,
            AccountChange::Enabled,
            message::ENABLED,
        )
        .await
    }

    /// Deletes an account for good. Its id is never used again; its e-mail and user name are free.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Refused`], as for the last administrator.
    pub async fn remove(&self, by: &Principal, id: UserId) -> Result<(), Error> {
        let mut conn = self.0.db.begin().await?;
        store::find(&mut conn, id).await?.ok_or(Error::NotFound)?;
        // Before the row is held: an observer may wait for somebody who waits for it.
        self.ask(&mut conn, by, id, AccountChange::Deleted).await?;
        store::lock(&mut conn, id).await?.ok_or(Error::NotFound)?;
        store::delete(&mut conn, id).await?;
        message::publish(&*self.0.publisher, &mut conn, message::DELETED, id).await?;
        conn.commit().await?;
        tracing::info!(user.id = %id, by = %by.subject, "account deleted");
        Ok(())
    }

    async fn ask(
        &self,
        conn: &mut Conn,
        by: &Principal,
        id: UserId,
        change: AccountChange,
    ) -> Result<(), Error> {
        for observer in &self.0.observers {
            observer.before_change(conn, by, id, change).await?;
        }
        Ok(())
    }
}
