use cgcg_core::{
    Account, Conn, DisplayName, Email, Grants, Invalid, NewAccount, Principal, Secret,
};

use super::Service;
use super::open::ADMIN;
use crate::audit::Entry;
use crate::password::Lane;
use crate::schemas::{AccountCreate, AdminCreate, Device, Registered};
use crate::throttle::Bucket;
use crate::{Error, RegistrationPolicy, store};

impl Service {
    /// Makes an account with the default roles, if the settings let everybody do so.
    ///
    /// # Errors
    /// [`Error::RegistrationClosed`], [`Error::InviteRequired`], [`Error::EmailDomainRefused`],
    /// [`Error::EmailTaken`], [`Error::UsernameTaken`], [`Error::Invalid`], [`Error::Throttled`],
    /// [`Error::Overloaded`].
    pub async fn register(&self, new: AccountCreate, device: &Device) -> Result<Registered, Error> {
        self.opened()?;
        self.may_register(&new.email)?;
        if new.username.is_some() && self.0.host.without_usernames {
            let invalid = Invalid::new("usernames_off", "accounts have no user names here");
            return Err(Error::invalid("username", invalid));
        }
        let account = NewAccount {
            email: new.email,
            email_verified: false,
            username: new.username,
            display_name: checked_name(new.display_name)?,
            locale: None,
        };
        self.admit_call(Bucket::Register, device)?;
        let hash = self.hash_new(&new.password).await?;
        let mut conn = self.0.db.begin().await?;
        let account = self.create_in(&mut conn, account, &hash).await?;
        let entry = Entry::new("register").about(account.id.uuid()).from(device);
        self.audit_in(&mut conn, entry).await?;
        conn.commit().await?;
        Ok(account.into())
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
        if !by.grants.cover(&Grants::all()) {
            return Err(Error::ScopeNotHeld);
        }
        // Its role is written by then.
        self.opened()?;
        let account = admin_account(new.email, new.display_name)?;
        let hash = self.hash_new(&new.password).await?;
        let mut conn = self.0.db.begin().await?;
        let account = self.create_in(&mut conn, account, &hash).await?;
        let granted_by = by.user().map(|user| user.uuid());
        store::roles::grant(&mut conn, account.id, ADMIN, granted_by, self.now()).await?;
        let entry = Entry::new("account.created").by(by);
        let entry = entry.about(account.id.uuid()).detail("role", ADMIN);
        self.audit_in(&mut conn, entry).await?;
        conn.commit().await?;
        Ok(account.into())
    }

    /// The hash of a password that may be set.
    pub(super) async fn hash_new(&self, password: &Secret<String>) -> Result<String, Error> {
        let password = self
            .0
            .policy
            .check(password)
            .map_err(|invalid| Error::invalid("password", invalid))?;
        Ok(self.0.pool.hash(Lane::Register, &password).await?)
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
        let domains = &registration.domains;
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

fn checked_name(name: Option<String>) -> Result<Option<String>, Error> {
    let name = name.as_deref().map(str::parse::<DisplayName>).transpose();
    let name = name.map_err(|invalid| Error::invalid("display_name", invalid))?;
    Ok(name.map(String::from))
}
