//! A new password for whoever reads the mail of an account.

use cgcg_core::{AccountStatus, Email, Id, Login, Principal, Secret, User};

use super::Service;
use super::login::no_account;
use super::rights::{all_held, require};
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::one_time::{OneTimeToken, Purpose};
use crate::password::Owner;
use crate::schemas::{Device, PasswordReset};
use crate::scopes::Users;
use crate::{Error, store};

impl Service {
    /// Mails a link to set a new password, to the address that the account has; nothing where there is none. The answer
    /// never tells, nor does its time.
    ///
    /// # Errors
    /// [`Error::Overloaded`].
    pub async fn forgot(&self, email: Email, device: &Device) -> Result<(), Error> {
        self.may_mail(&email, device).await?;
        let (service, device) = (self.clone(), device.clone());
        self.errand("mailing a link to reset", async move {
            let mut conn = service.0.db.begin().await?;
            if let Some(account) = service.open_to_in(&mut conn, email).await? {
                let (purpose, target) = (Purpose::Reset, account.email.as_str());
                let issued = service
                    .issue_in(
                        &mut conn,
                        purpose,
                        Some(account.id),
                        Some(target),
                        purpose.life(),
                    )
                    .await?;
                let letter = Letter::to(&account, Template::Reset).with_link(issued.id);
                service.mail_in(&mut conn, letter).await?;
                let entry = Entry::new("password.forgot").about(account.id.uuid());
                service.audit_in(&mut conn, entry.from(&device)).await?;
            }
            Ok(conn.commit().await?)
        })
    }

    /// Sets a password with the token of a mail. Logs nobody in; ends every session, every access token and every other
    /// link of the account, and tells its owner. A link that was mailed proves the address, too: where nobody had proved
    /// it, API keys end as well, for somebody else may have registered it.
    ///
    /// # Errors
    /// [`Error::OneTimeTokenInvalid`], whatever the cause; [`Error::Invalid`] for a password that cannot be set (the token
    /// stays good); [`Error::Overloaded`].
    pub async fn reset(&self, new: &PasswordReset, device: &Device) -> Result<(), Error> {
        let purposes = [Purpose::Reset, Purpose::SetPassword];
        let token = OneTimeToken::parse_any(new.token.expose(), &purposes)
            .ok_or(Error::OneTimeTokenInvalid)?;
        // Before the hash: a stranger with a wrong token must not cost one.
        let mut conn = self.0.db.read().await?;
        let row = self.good(&mut conn, &token).await?;
        let user = row.user_id.ok_or(Error::OneTimeTokenInvalid)?;
        let account = self.0.directory.find(&mut conn, user).await?;
        drop(conn);
        let owner = account.as_ref().map(Owner::from).unwrap_or_default();
        let hash = self.hash_new(&new.new_password, &owner).await;
        let hash = hash.map_err(renamed)?;
        let mut conn = self.0.db.begin().await?;
        let account = self.redeem_in(&mut conn, &token, &row).await?;
        let (user, now) = (account.id, self.now());
        // A token without an address was shown to somebody who did not prove to read mail.
        let was_mailed = row.target.is_some();
        if was_mailed && row.target.as_deref() != Some(account.email.as_str()) {
            return Err(Error::OneTimeTokenInvalid);
        }
        store::passwords::set(&mut conn, user, &hash, now).await?;
        self.forgive_in(&mut conn, user).await?;
        self.end_sessions_in(&mut conn, user, None, "reset").await?;
        if was_mailed && account.email_verified_at.is_none() {
            let directory = &self.0.directory;
            directory
                .set_email(&mut conn, user, &account.email, true)
                .await?;
            self.end_keys_in(&mut conn, user, None, "reset").await?;
        }
        self.password_changed_in(&mut conn, &account).await?;
        let entry = Entry::new("password.reset").about(user.uuid());
        self.audit_in(&mut conn, entry.from(device)).await?;
        Ok(conn.commit().await?)
    }

    /// Mails the owner of an account a link to set a password. Whoever asks never sees it.
    ///
    /// # Errors
    /// [`Error::Denied`] without `auth:users`; [`Error::UserNotFound`], [`Error::AccountDisabled`];
    /// [`Error::TargetOutranksCaller`] for an account that may do more than `by`.
    pub async fn send_password_link(
        &self,
        by: &Principal,
        id: Id<User>,
        device: &Device,
    ) -> Result<(), Error> {
        // Before anything waits: a stranger must not hold others up.
        require::<Users>(&by.grants)?;
        let mut conn = self.0.db.begin().await?;
        // An account that was made elsewhere has no row yet.
        self.admit(&mut conn, id).await.map_err(no_account)?;
        self.may_administrate(&mut conn, by, id).await?;
        let account = self.0.directory.find(&mut conn, id).await?;
        let account = account.ok_or(Error::UserNotFound)?;
        if account.status != AccountStatus::Active {
            return Err(Error::AccountDisabled);
        }
        let (purpose, target) = (Purpose::SetPassword, account.email.as_str());
        let issued = self
            .issue_in(&mut conn, purpose, Some(id), Some(target), purpose.life())
            .await?;
        let letter = Letter::to(&account, Template::SetPassword).with_link(issued.id);
        self.mail_in(&mut conn, letter).await?;
        let entry = Entry::new("password.link_sent").by(by).about(id.uuid());
        self.audit_in(&mut conn, entry.from(device)).await?;
        Ok(conn.commit().await?)
    }

    /// A link to set a new password, good for 30 minutes and one use: for the command line of a server without mail,
    /// whose user is [`Principal::operator`]. It proves no address.
    ///
    /// # Errors
    /// [`Error::ScopeNotHeld`] where `by` may not do everything itself; [`Error::UserNotFound`],
    /// [`Error::AccountDisabled`].
    pub async fn reset_link(&self, by: &Principal, email: &Email) -> Result<Secret<String>, Error> {
        all_held(by)?;
        let mut conn = self.0.db.begin().await?;
        let login = Login::Email(email.clone());
        let account = self.0.directory.find_by_login(&mut conn, &login).await?;
        let account = account.ok_or(Error::UserNotFound)?;
        if account.status != AccountStatus::Active {
            return Err(Error::AccountDisabled);
        }
        self.admit(&mut conn, account.id)
            .await
            .map_err(no_account)?;
        let purpose = Purpose::Reset;
        let issued = self
            .issue_in(&mut conn, purpose, Some(account.id), None, purpose.life())
            .await?;
        let entry = Entry::new("password.link_shown").by(by);
        self.audit_in(&mut conn, entry.about(account.id.uuid()))
            .await?;
        conn.commit().await?;
        Ok(self.link(purpose, &issued.token))
    }
}

/// The password has another name in this request.
fn renamed(error: Error) -> Error {
    match error {
        Error::Invalid { invalid, .. } => Error::invalid("new_password", invalid),
        error => error,
    }
}
