//! Proving an address, and moving to another one.

use std::time::Duration;

use cgcg_core::{
    Account, AccountChange, AccountStatus, Conn, Email, Grants, Id, Login, Principal, Proof,
    Secret, Session, Subject, User,
};
use tracing::debug;

use super::Service;
use super::session::person;
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::one_time::{OneTimeToken, Purpose};
use crate::schemas::{Device, EmailChange};
use crate::store::one_time::OneTimeInDb;
use crate::{EmailVerification, Error, store};

/// Between two mails that a refused login sends to one address.
const REMIND: Duration = Duration::from_secs(3_600);

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
            service.ask_again(email).await
        })
    }

    /// As [`Service::resend_verification`], after a login that was refused for want of proof: once an hour, by a counter of
    /// its own. Through the one of mail, whoever may not learn of the account could see that mail went out.
    pub(super) fn remind_to_verify(&self, email: Email) {
        let service = self.clone();
        let started = self.errand("reminding of a link to verify", async move {
            let (now, to) = (service.now(), email.canonical());
            let key = service
                .0
                .keys
                .throttle
                .current
                .mac(&[b"remind", to.as_bytes()]);
            let mut conn = service.0.db.begin().await?;
            let (count, _) = store::throttle::count_mail(&mut conn, &key, now, REMIND).await?;
            conn.commit().await?;
            match count {
                1 => service.ask_again(email).await,
                _ => Ok(()),
            }
        });
        if started.is_err() {
            debug!("too many errands: nobody is reminded");
        }
    }

    async fn ask_again(&self, email: Email) -> Result<(), Error> {
        let mut conn = self.0.db.begin().await?;
        if let Some(account) = self.open_to_in(&mut conn, email).await?
            && account.email_verified_at.is_none()
        {
            self.ask_to_verify_in(&mut conn, &account).await?;
        }
        Ok(conn.commit().await?)
    }

    /// Mails a link to the new address; the account moves there once it was followed. An address that another account has
    /// gets a mail that says so, and the caller the same answer. Where no mail gets anywhere and no address has to be
    /// proved, the account moves at once: the session that asks goes on, all else of before ends.
    ///
    /// # Errors
    /// [`Error::WrongPassword`], [`Error::EmailDomainRefused`], [`Error::NotAPerson`] for keys, [`Error::InvalidGrant`]
    /// where the session has just ended, [`Error::Overloaded`]; [`Error::EmailTaken`] only where the account moves at
    /// once.
    pub async fn change_email(
        &self,
        by: &Principal,
        change: EmailChange,
        device: &Device,
    ) -> Result<(), Error> {
        let (user, session) = person(by)?;
        let email = change.new_email;
        self.is_domain_welcome(&email)?;
        let given = ("password", &change.password);
        let proved = self
            .prove_again(by, user, given, "email.change", device)
            .await?;
        let by_mail = self.0.mail.sends || self.verifies_email();
        if by_mail {
            self.may_mail(&email, device).await?;
        }
        let mut conn = self.0.db.begin().await?;
        // A link that went out after a change of password would outlive the one that earned it.
        self.still_proved(&mut conn, user, &proved).await?;
        let live = self.session_now(&mut conn, session).await?;
        live.ok_or(Error::InvalidGrant)?;
        if !by_mail {
            self.move_at_once(&mut conn, by, (user, session), &email, device)
                .await?;
            return Ok(conn.commit().await?);
        }
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

    async fn move_at_once(
        &self,
        conn: &mut Conn,
        by: &Principal,
        (user, session): (Id<User>, Id<Session>),
        email: &Email,
        device: &Device,
    ) -> Result<(), Error> {
        let account = self.0.directory.find(conn, user).await?;
        let account = account.ok_or(Error::UserNotFound)?;
        if account.email == *email {
            return Ok(());
        }
        self.ask_others(conn, by, user).await?;
        let directory = &self.0.directory;
        directory.set_email(conn, user, email, false).await?;
        let entry = Entry::new("email.changed").by(by).from(device);
        self.moved_in(conn, &account, Some(session), entry).await
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
        let address = email.canonical();
        let login = Login::Email(email);
        let Some(found) = self.0.directory.find_by_login(conn, &login).await? else {
            return Ok(None);
        };
        match self.admit(conn, found.id).await {
            // It was deleted while we waited for the row.
            Err(Error::InvalidCredentials) => return Ok(None),
            admitted => admitted?,
        };
        let account = self.0.directory.find(conn, found.id).await?;
        let is_open = |account: &Account| {
            account.status == AccountStatus::Active && account.email.canonical() == address
        };
        Ok(account.filter(is_open))
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

    /// The first proof ends what was there before, but the password: somebody else may have registered the address, and
    /// have logged in, made keys, or asked to move the account away.
    async fn prove_in(
        &self,
        conn: &mut Conn,
        account: &Account,
        device: &Device,
    ) -> Result<(), Error> {
        let (directory, id) = (&self.0.directory, account.id);
        directory.set_email(conn, id, &account.email, true).await?;
        if account.email_verified_at.is_none() {
            let moves = Some(Purpose::EmailChange.as_str());
            store::one_time::end(conn, id, moves, self.now()).await?;
            self.end_sessions_in(conn, id, None, "verified").await?;
            self.end_keys_in(conn, id, None, "verified").await?;
            self.end_access_in(conn, id).await?;
        }
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
        self.ask_others(conn, &by_link(account.id), account.id)
            .await?;
        let moved = self.0.directory.set_email(conn, account.id, target, true);
        match moved.await.map_err(Error::from) {
            // Somebody else took the address since: the link leads nowhere any more.
            Err(Error::EmailTaken) => return Err(Error::OneTimeTokenInvalid),
            moved => moved?,
        }
        let entry = Entry::new("email.changed").from(device);
        self.moved_in(conn, account, None, entry).await
    }

    /// Other features may keep what belongs to an address, or to whoever has it.
    async fn ask_others(
        &self,
        conn: &mut Conn,
        by: &Principal,
        user: Id<User>,
    ) -> Result<(), Error> {
        for observer in &self.0.host.observers {
            let change = AccountChange::EmailChanged;
            observer.before_change(conn, by, user, change).await?;
        }
        Ok(())
    }

    /// What another address ends; `account` has the old one, which is told.
    async fn moved_in(
        &self,
        conn: &mut Conn,
        account: &Account,
        keep: Option<Id<Session>>,
        entry: Entry,
    ) -> Result<(), Error> {
        self.end_sessions_in(conn, account.id, keep, "email")
            .await?;
        self.end_proofs_in(conn, account.id).await?;
        let letter = Letter::to(account, Template::EmailChanged);
        self.mail_in(conn, letter).await?;
        let entry = entry.about(account.id.uuid());
        Ok(self.audit_in(conn, entry).await?)
    }
}

/// Whoever shows a link that was mailed to the account.
fn by_link(user: Id<User>) -> Principal {
    Principal {
        subject: Subject::User(user),
        proof: Proof::Link,
        grants: Grants::default(),
        ..Principal::operator()
    }
}
