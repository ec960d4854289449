use cgcg_core::{Conn, Secret};

use super::Service;
use super::open::ADMIN;
use super::register::admin_account;
use crate::audit::Entry;
use crate::one_time::{OneTimeToken, Purpose};
use crate::password::Owner;
use crate::schemas::{Device, Registered, SetupCreate, Tokens};
use crate::{Error, store};

impl Service {
    /// Whether there is an administrator, who may be disabled.
    ///
    /// # Errors
    /// [`Error::Database`].
    pub async fn has_administrator(&self) -> Result<bool, Error> {
        Ok(has_admin(&mut self.0.db.read().await?).await?)
    }

    /// A fresh token for the set-up link `<base>/api/v1/auth/pages/setup#<token>`, good for 30 minutes and one use;
    /// `None` once there is an administrator. For the terminal, never for a log.
    ///
    /// # Errors
    /// [`Error::Database`], [`Error::Key`].
    pub async fn setup_token(&self) -> Result<Option<Secret<String>>, Error> {
        if has_admin(&mut self.0.db.read().await?).await? {
            return Ok(None);
        }
        let mut conn = self.0.db.begin().await?;
        let life = Purpose::Setup.life();
        let issued = self
            .issue_in(&mut conn, Purpose::Setup, None, None, life)
            .await?;
        conn.commit().await?;
        Ok(Some(issued.token))
    }

    /// Makes the first administrator and logs them in. Of any number that try at once, one succeeds.
    ///
    /// # Errors
    /// [`Error::SetupClosed`] once there is an administrator, and for a token that is wrong, used or too old;
    /// [`Error::EmailTaken`] (the token stays good), [`Error::Invalid`], [`Error::Overloaded`].
    pub async fn setup(
        &self,
        new: SetupCreate,
        device: &Device,
    ) -> Result<(Registered, Tokens), Error> {
        self.opened()?;
        let token =
            OneTimeToken::parse(new.token.expose(), Purpose::Setup).ok_or(Error::SetupClosed)?;
        // Before the hash: a stranger with a wrong token must not cost one.
        if !self.is_open_for(&token).await? {
            return Err(Error::SetupClosed);
        }
        let account = admin_account(new.email, new.display_name)?;
        let hash = self.hash_new(&new.password, &Owner::from(&account)).await?;
        let mut conn = self.0.db.begin().await?;
        store::roles::lock(&mut conn, ADMIN).await?;
        let won = !has_admin(&mut conn).await?
            && store::one_time::consume(&mut conn, token.id, self.now()).await?;
        if !won {
            return Err(Error::SetupClosed);
        }
        let account = self.create_in(&mut conn, account, &hash).await?;
        store::grants::add_named(&mut conn, account.id, ADMIN, None, self.now()).await?;
        let rights = self.admit(&mut conn, account.id).await?;
        let started = self
            .start_in(&mut conn, account.id, rights, None, device)
            .await?
            .ok_or(Error::SetupClosed)?;
        let entry = Entry::new("setup").by_user(account.id);
        let entry = entry.about(account.id.uuid()).session(started.session.id);
        self.audit_in(&mut conn, entry.from(device)).await?;
        conn.commit().await?;
        Ok((account.into(), self.sign(&started)?))
    }

    async fn is_open_for(&self, token: &OneTimeToken) -> Result<bool, Error> {
        let mut conn = self.0.db.read().await?;
        let good = self.look_up(&mut conn, token).await?.is_some();
        Ok(good && !has_admin(&mut conn).await?)
    }
}

/// A disabled administrator is one too: the command line can help, a link in an old terminal must not.
pub(super) async fn has_admin(conn: &mut Conn) -> sqlx::Result<bool> {
    Ok(!store::grants::holders(conn, ADMIN, 1).await?.is_empty())
}
