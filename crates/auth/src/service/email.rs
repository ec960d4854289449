//! Proving an address, and moving to another one.

use cgcg_core::{Account, AccountStatus, Conn, Email, Id, Login, Principal, Proof, Secret, User};

use super::Service;
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::one_time::{OneTimeToken, Purpose};
use crate::schemas::{Device, EmailChange};
use crate::store::one_time::OneTimeInDb;
use crate::{EmailVerification, Error, store};

impl Service {
    /// Whether an account can be used only once its address is proved.
    pub fn verifies_email(&self) -> bool {
        match self.0.settings.registration.email_verification {
            Some(wanted) => wanted == EmailVerification::Required,
            None => self.0.mail.sends,
        }
    }

    /// Proves an address with the token of a mail: the one that the account has, or the one that it moves to. The move
    /// ends every session, every access token and every other link; the old address is told.
    ///
    /// # Errors
    /// [`Error::OneTimeTokenInvalid`], whatever the cause.
    pub async fn verify_email(&self, token: &Secret<String>, device: &Device) -> Result<(), Error> {
        let purposes = [Purpose::Verify, Purpose::EmailChange];
        let token =
            OneTimeToken::parse_any(token.expose(), &purposes).ok_or(Error::OneTimeTokenInvalid)?;
        // Before a writer is taken: guesses cost a read.
        let row = self.good(&mut self.0.db.read().await?, &token).await?;
        let mut conn = self.0.db.begin().await?;
        let account = self.redeem_in(&mut conn, &token, &row).await?;
        let target = row.target.as_deref().and_then(|target| target.parse().ok());
        let target: Email = target.ok_or(Error::OneTimeTokenInvalid)?;
        if token.purpose() == Purpose::EmailChange {
            self.move_in(&mut conn, &account, &target, device).await?;
        } else if target != account.email {
            return Err(Error::OneTimeTokenInvalid);
        } else {
            self.prove_in(&mut conn, &account, device).await?;
        }
        Ok(conn.commit().await?)
    }

    /// Mails a fresh link to prove an address, if it has an account that wants one. The answer never tells.
    ///
    /// # Errors
    /// [`Error::Overloaded`].
    pub async fn resend_verification(&self, email: Email, device: &Device) -> Result<(), Error> {
        self.may_mail(&email, device).await?;
        let service = self.clone();
        self.errand("mailing a link to verify", async move {
            let mut conn = service.0.db.begin().await?;
            if let Some(account) = service.open_to_in(&mut conn, email).await?
                && account.email_verified_at.is_none()
            {
                service.ask_to_verify_in(&mut conn, &account).await?;
            }
            Ok(conn.commit().await?)
        })
    }

    /// Mails a link to the new address; the account moves there once it was followed. An address that another account has
    /// gets a mail that says so, and the caller the same answer.
    ///
    /// # Errors
    /// [`Error::WrongPassword`], [`Error::EmailDomainRefused`], [`Error::NotAPerson`] for keys, [`Error::Overloaded`].
    pub async fn change_email(
        &self,
        by: &Principal,
        change: EmailChange,
        device: &Device,
    ) -> Result<(), Error> {
        let (Some(user), Proof::Session(_)) = (by.user(), by.proof) else {
            return Err(Error::NotAPerson);
        };
        let email = change.new_email;
        self.is_domain_welcome(&email)?;
        let given = ("password", &change.password);
        self.prove_again(by, user, given, "email.change", device)
            .await?;
        self.may_mail(&email, device).await?;
        let mut conn = self.0.db.begin().await?;
        store::subjects::lock(&mut conn, user).await?;
        let login = Login::Email(email.clone());
        let owner = self.0.directory.find_by_login(&mut conn, &login).await?;
        if owner.is_some_and(|owner| owner.id != user) {
            self.tell_owner_in(&mut conn, &email, device).await?;
        } else {
            let account = self.0.directory.find(&mut conn, user).await?;
            let account = account.ok_or(Error::UserNotFound)?;
            let (purpose, target) = (Purpose::EmailChange, email.as_str());
            let issued = self
                .issue_in(&mut conn, purpose, Some(user), Some(target), purpose.life())
                .await?;
            let mut letter = Letter::to(&account, Template::Verify).with_link(issued.id);
            letter.to = email;
            self.mail_in(&mut conn, letter).await?;
            let entry = Entry::new("email.change_requested").by(by);
            self.audit_in(&mut conn, entry.about(user.uuid()).from(device))
                .await?;
        }
        Ok(conn.commit().await?)
    }

    /// Mails the owner of a new account the link that proves the address.
    pub(super) async fn ask_to_verify_in(
        &self,
        conn: &mut Conn,
        account: &Account,
    ) -> Result<(), Error> {
        let (purpose, target) = (Purpose::Verify, account.email.as_str());
        let issued = self
            .issue_in(
                conn,
                purpose,
                Some(account.id),
                Some(target),
                purpose.life(),
            )
            .await?;
        let letter = Letter::to(account, Template::Verify).with_link(issued.id);
        Ok(self.mail_in(conn, letter).await?)
    }

    /// Tells the owner of an address that somebody wanted to register it.
    pub(super) async fn tell_owner_in(
        &self,
        conn: &mut Conn,
        email: &Email,
        device: &Device,
    ) -> Result<(), Error> {
        let login = Login::Email(email.clone());
        let Some(owner) = self.0.directory.find_by_login(conn, &login).await? else {
            return Ok(());
        };
        let letter = Letter::to(&owner, Template::AlreadyRegistered);
        self.mail_in(conn, letter).await?;
        let entry = Entry::new("register").refused("email_taken");
        let entry = entry.about(owner.id.uuid()).from(device);
        Ok(self.audit_in(conn, entry).await?)
    }

    /// The active account of an address, its row held: what is mailed must not cross another request.
    pub(super) async fn open_to_in(
        &self,
        conn: &mut Conn,
        email: Email,
    ) -> Result<Option<Account>, Error> {
        let login = Login::Email(email);
        let account = self.0.directory.find_by_login(conn, &login).await?;
        let account = account.filter(|account| account.status == AccountStatus::Active);
        if let Some(account) = &account {
            self.admit(conn, account.id).await?;
        }
        Ok(account)
    }

    /// The row of a token that is good now.
    pub(super) async fn good(
        &self,
        conn: &mut Conn,
        token: &OneTimeToken,
    ) -> Result<OneTimeInDb, Error> {
        let row = self.look_up(conn, token).await?;
        row.ok_or(Error::OneTimeTokenInvalid)
    }

    /// Uses a token up, and holds the row of its account. Of any number that try, one gets it.
    pub(super) async fn redeem_in(
        &self,
        conn: &mut Conn,
        token: &OneTimeToken,
        row: &OneTimeInDb,
    ) -> Result<Account, Error> {
        let user = row.user_id.ok_or(Error::OneTimeTokenInvalid)?;
        self.admit(conn, user).await?;
        if !store::one_time::consume(conn, token.id, self.now()).await? {
            return Err(Error::OneTimeTokenInvalid);
        }
        let account = self.0.directory.find(conn, user).await?;
        let account = account.filter(|account| account.status == AccountStatus::Active);
        account.ok_or(Error::OneTimeTokenInvalid)
    }

    /// Ends what a person had before a change that a thief may have made: sessions, access tokens, links.
    pub(super) async fn end_everything_in(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        reason: &'static str,
    ) -> Result<(), Error> {
        let now = self.now();
        store::one_time::end(conn, user, None, now).await?;
        let ended = store::sessions::revoke_of(conn, user, None, reason, now).await?;
        self.tell_ended(conn, user, &ended, reason).await?;
        store::subjects::raise_epoch(conn, user).await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_user(user));
        Ok(())
    }

    async fn prove_in(
        &self,
        conn: &mut Conn,
        account: &Account,
        device: &Device,
    ) -> Result<(), Error> {
        let (directory, id) = (&self.0.directory, account.id);
        directory.set_email(conn, id, &account.email, true).await?;
        let entry = Entry::new("email.verified").about(id.uuid());
        Ok(self.audit_in(conn, entry.from(device)).await?)
    }

    async fn move_in(
        &self,
        conn: &mut Conn,
        account: &Account,
        target: &Email,
        device: &Device,
    ) -> Result<(), Error> {
        let moved = self.0.directory.set_email(conn, account.id, target, true);
        match moved.await.map_err(Error::from) {
            // Somebody else took the address since: the link leads nowhere any more.
            Err(Error::EmailTaken) => return Err(Error::OneTimeTokenInvalid),
            moved => moved?,
        }
        self.end_everything_in(conn, account.id, "email").await?;
        let letter = Letter::to(account, Template::EmailChanged);
        self.mail_in(conn, letter).await?;
        let entry = Entry::new("email.changed").about(account.id.uuid());
        Ok(self.audit_in(conn, entry.from(device)).await?)
    }
}
