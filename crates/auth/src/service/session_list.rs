use cgcg_core::{Conn, Cursor, Id, Page, PageRequest, Principal, Proof, Session, User};

use super::Service;
use super::observer::outranks;
use super::rights::require;
use super::session::person;
use crate::audit::Entry;
use crate::schemas::{Device, SessionInfo, SessionRow, SessionUpdate};
use crate::scopes::Users;
use crate::{Error, store};

impl Service {
    /// The live sessions of the person, the newest first.
    ///
    /// # Errors
    /// [`Error::NotAPerson`] for keys, [`Error::Database`].
    pub async fn sessions(
        &self,
        by: &Principal,
        page: PageRequest,
    ) -> Result<Page<SessionInfo>, Error> {
        let (user, _) = person(by)?;
        let mut conn = self.0.db.read().await?;
        self.list_in(&mut conn, by, user, page).await
    }

    /// The session that `by` shows.
    ///
    /// # Errors
    /// [`Error::NotAPerson`] for keys; [`Error::SessionNotFound`] where it has ended.
    pub async fn session(&self, by: &Principal) -> Result<SessionInfo, Error> {
        let (user, session) = person(by)?;
        let mut conn = self.0.db.read().await?;
        let row = store::sessions::find_live(&mut conn, user, session, self.now()).await?;
        let row = row.ok_or(Error::SessionNotFound)?;
        Ok(row.seen_from(Some(session)))
    }

    /// Changes a session of the person.
    ///
    /// # Errors
    /// [`Error::SessionNotFound`] for that of somebody else too; [`Error::NotAPerson`] for keys.
    pub async fn update_session(
        &self,
        by: &Principal,
        id: Id<Session>,
        change: SessionUpdate,
    ) -> Result<SessionInfo, Error> {
        let (user, current) = person(by)?;
        let mut conn = self.0.db.begin().await?;
        if let Some(label) = &change.label {
            let label = label.as_ref().map(|label| label.as_str());
            store::sessions::label(&mut conn, user, id, label).await?;
        }
        let row = store::sessions::find_live(&mut conn, user, id, self.now()).await?;
        let row = row.ok_or(Error::SessionNotFound)?;
        conn.commit().await?;
        Ok(row.seen_from(Some(current)))
    }

    /// Ends one session of the person; it may be the one that `by` shows.
    ///
    /// # Errors
    /// As [`Service::update_session`].
    pub async fn end_session(
        &self,
        by: &Principal,
        id: Id<Session>,
        device: &Device,
    ) -> Result<(), Error> {
        let (user, _) = person(by)?;
        let mut conn = self.0.db.begin().await?;
        let row = store::sessions::find_live(&mut conn, user, id, self.now()).await?;
        row.ok_or(Error::SessionNotFound)?;
        self.end_in(&mut conn, user, id, "revoked").await?;
        let entry = Entry::new("session.revoked").session(id).by(by);
        let entry = entry.about(user.uuid()).detail("reason", "revoked");
        self.audit_in(&mut conn, entry.from(device)).await?;
        Ok(conn.commit().await?)
    }

    /// The live sessions of an account, the newest first: for administrators.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:users`; [`Error::UserNotFound`]; [`Error::TargetOutranksCaller`] for an
    /// account that may do more than `by`.
    pub async fn sessions_of(
        &self,
        by: &Principal,
        user: Id<User>,
        page: PageRequest,
    ) -> Result<Page<SessionInfo>, Error> {
        let mut conn = self.0.db.read().await?;
        self.may_administrate(&mut conn, by, user).await?;
        self.list_in(&mut conn, by, user, page).await
    }

    /// Ends all sessions of an account: for administrators.
    ///
    /// # Errors
    /// As [`Service::sessions_of`].
    pub async fn end_sessions_of(
        &self,
        by: &Principal,
        user: Id<User>,
        device: &Device,
    ) -> Result<(), Error> {
        // Before anything waits: a stranger must not hold others up.
        require::<Users>(&by.grants)?;
        let mut conn = self.0.db.begin().await?;
        // First the row that logins and grants hold, so that none slips in between.
        store::subjects::lock(&mut conn, user).await?;
        self.may_administrate(&mut conn, by, user).await?;
        let ended = self
            .end_sessions_in(&mut conn, user, None, "administrator")
            .await?;
        let entry = Entry::new("session.revoked").by(by).about(user.uuid());
        let entry = entry
            .detail("reason", "administrator")
            .detail("sessions", ended);
        self.audit_in(&mut conn, entry.from(device)).await?;
        Ok(conn.commit().await?)
    }

    /// Whether `by` may see and end what belongs to `user`, by the rows of this transaction.
    pub(super) async fn may_administrate(
        &self,
        conn: &mut Conn,
        by: &Principal,
        user: Id<User>,
    ) -> Result<(), Error> {
        let mine = self.current(conn, by).await?;
        require::<Users>(&mine)?;
        let account = self.0.directory.find(conn, user).await?;
        account.ok_or(Error::UserNotFound)?;
        match outranks(conn, by, &mine, user).await? {
            true => Err(Error::TargetOutranksCaller),
            false => Ok(()),
        }
    }

    async fn list_in(
        &self,
        conn: &mut Conn,
        by: &Principal,
        user: Id<User>,
        page: PageRequest,
    ) -> Result<Page<SessionInfo>, Error> {
        let PageRequest { limit, cursor } = page;
        let rows = store::sessions::list(conn, user, cursor, limit, self.now()).await?;
        let current = match by.proof {
            Proof::Session(session) => Some(session),
            _ => None,
        };
        Ok(Page::of(rows, limit, place).map(|row| row.seen_from(current)))
    }
}

fn place(row: &SessionRow) -> Cursor {
    Cursor {
        at: row.created_at,
        id: row.id.uuid(),
    }
}
