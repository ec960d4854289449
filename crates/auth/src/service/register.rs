use cgcg_core::{Account, Conn, DisplayName, Email, Invalid, NewAccount, Principal};

use super::Service;
use super::open::ADMIN;
use super::rights::all_held;
use crate::audit::Entry;
use crate::idempotency::IdempotencyKey;
use crate::password::Owner;
use crate::schemas::{AccountCreate, AdminCreate, Answered, Device, Registered, Welcome};
use crate::throttle::Bucket;
use crate::{Error, RegistrationPolicy, store};

impl Service {
    /// Makes an account with the default roles, if the settings let everybody do so. Where they want the address to be
    /// proved, the answer is the same for an address that has an account: its owner is told by mail.
    ///
    /// # Errors
    /// [`Error::RegistrationClosed`], [`Error::InviteRequired`], [`Error::EmailDomainRefused`],
    /// [`Error::EmailTaken`] and [`Error::UsernameTaken`] (never where addresses are to be proved: a user name is refused
    /// there, whoever asks), [`Error::Invalid`], [`Error::Throttled`], [`Error::Overloaded`].
    pub async fn register(&self, new: AccountCreate, device: &Device) -> Result<Welcome, Error> {
        Ok(self.register_with(new, None, device).await?.welcome)
    }

    /// As [`Service::register`], once for each key: a repeat within 24 h gets the first answer.
    ///
    /// # Errors
    /// As [`Service::register`], and [`Error::IdempotencyKeyReused`] where another request had the key.
    pub async fn register_once(
        &self,
        new: AccountCreate,
        key: &IdempotencyKey,
        device: &Device,
    ) -> Result<Answered, Error> {
        self.register_with(new, Some(key), device).await
    }

    async fn register_with(
        &self,
        new: AccountCreate,
        key: Option<&IdempotencyKey>,
        device: &Device,
    ) -> Result<Answered, Error> {
        let started = self.0.clock.monotonic();
        let account = self.admitted(&new)?;
        let once = key.map(|key| self.once(key, &new)).transpose()?;
        if let Some(once) = &once
            && let Some(answered) = self.replay(once).await?
        {
            return Ok(answered);
        }
        self.admit_call(Bucket::Register, device)?;
        // Before a writer is taken: it may write itself.
        if self.verifies_email() {
            self.may_mail(&new.email, device).await?;
        }
        let hash = self.hash_new(&new.password, &Owner::from(&account)).await?;
        let mut conn = self.0.db.begin().await?;
        if let Some(once) = &once
            && !self.claim_in(&mut conn, once).await?
        {
            // Somebody with the same key was faster, and has committed.
            drop(conn);
            return self.replay(once).await?.ok_or(Error::IdempotencyKeyReused);
        }
        let welcome = self.welcome_in(&mut conn, account, &hash, device).await?;
        if let (Some(once), Welcome::Made(account)) = (&once, &welcome) {
            store::idempotency::answer(&mut conn, &once.key, account.id).await?;
        }
        conn.commit().await?;
        if self.verifies_email() {
            self.even_out(started).await;
        }
        Ok(Answered {
            welcome,
            replayed: false,
        })
    }

    /// What can be told of a request before anything is read.
    fn admitted(&self, new: &AccountCreate) -> Result<NewAccount, Error> {
        self.opened()?;
        self.may_register(&new.email)?;
        if new.username.is_some() && self.0.host.without_usernames {
            let invalid = Invalid::new("usernames_off", "accounts have no user names here");
            return Err(Error::invalid("username", invalid));
        }
        // A name that only a new account takes would tell, in the next request, that the address had none.
        if new.username.is_some() && self.verifies_email() {
            let rule = "expected none: choose a user name once the address is proved";
            let invalid = Invalid::new("username_too_early", rule);
            return Err(Error::invalid("username", invalid));
        }
        Ok(NewAccount {
            email: new.email.clone(),
            email_verified: false,
            username: new.username.clone(),
            display_name: checked_name(new.display_name.clone())?,
            locale: None,
        })
    }

    async fn welcome_in(
        &self,
        conn: &mut Conn,
        new: NewAccount,
        hash: &str,
        device: &Device,
    ) -> Result<Welcome, Error> {
        let email = new.email.clone();
        let made = self.create_in(conn, new, hash).await;
        let account = match made {
            Err(Error::EmailTaken) if self.verifies_email() => {
                self.tell_owner_in(conn, &email, device).await?;
                return Ok(Welcome::CheckEmail);
            }
            made => made?,
        };
        let entry = Entry::new("register").about(account.id.uuid()).from(device);
        self.audit_in(conn, entry).await?;
        if !self.verifies_email() {
            return Ok(Welcome::Made(account.into()));
        }
        self.ask_to_verify_in(conn, &account).await?;
        Ok(Welcome::CheckEmail)
    }

    /// Makes an administrator: for the command line, whose user is [`Principal::operator`].
    ///
    /// # Errors
    /// [`Error::ScopeNotHeld`] where `by` may not do everything itself; else as [`Service::register`], whatever its
    /// policy.
    pub async fn create_admin(
        &self,
        by: &Principal,
        new: AdminCreate,
    ) -> Result<Registered, Error> {
        all_held(by)?;
        // Its role is written by then.
        self.opened()?;
        let account = admin_account(new.email, new.display_name)?;
        let hash = self.hash_new(&new.password, &Owner::from(&account)).await?;
        let mut conn = self.0.db.begin().await?;
        let account = self.create_in(&mut conn, account, &hash).await?;
        let granted_by = by.user().map(|user| user.uuid());
        store::grants::add_named(&mut conn, account.id, ADMIN, granted_by, self.now()).await?;
        let entry = Entry::new("account.created").by(by);
        let entry = entry.about(account.id.uuid()).detail("role", ADMIN);
        self.audit_in(&mut conn, entry).await?;
        conn.commit().await?;
        Ok(account.into())
    }

    /// Account, subject, default roles and password, in the caller's transaction.
    pub(super) async fn create_in(
        &self,
        conn: &mut Conn,
        new: NewAccount,
        hash: &str,
    ) -> Result<Account, Error> {
        let account = self.0.directory.create(conn, new).await?;
        self.add_subject(conn, account.id).await?;
        store::passwords::insert(conn, account.id, hash, self.now()).await?;
        Ok(account)
    }

    fn may_register(&self, email: &Email) -> Result<(), Error> {
        let registration = &self.0.settings.registration;
        match registration.policy {
            RegistrationPolicy::Open => {}
            RegistrationPolicy::Invite => return Err(Error::InviteRequired),
            RegistrationPolicy::Closed => return Err(Error::RegistrationClosed),
        }
        self.is_domain_welcome(email)
    }

    /// Whether addresses of this domain may have accounts.
    pub(super) fn is_domain_welcome(&self, email: &Email) -> Result<(), Error> {
        let domains = &self.0.settings.registration.domains;
        let listed = domains
            .iter()
            .any(|domain| domain.eq_ignore_ascii_case(email.domain()));
        if domains.is_empty() || listed {
            Ok(())
        } else {
            Err(Error::EmailDomainRefused)
        }
    }
}

/// An administrator's account. Whoever makes it answers for the address.
pub(super) fn admin_account(email: Email, name: Option<String>) -> Result<NewAccount, Error> {
    Ok(NewAccount {
        email,
        email_verified: true,
        username: None,
        display_name: checked_name(name)?,
        locale: None,
    })
}

pub(super) fn checked_name(name: Option<String>) -> Result<Option<String>, Error> {
    let name = name.as_deref().map(str::parse::<DisplayName>).transpose();
    let name = name.map_err(|invalid| Error::invalid("display_name", invalid))?;
    Ok(name.map(String::from))
}
