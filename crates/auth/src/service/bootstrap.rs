use cgcg_core::{Account, Conn, NewAccount, Principal, Secret};

use super::Service;
use super::open::ADMIN;
use super::register::admin_account;
use super::setup::has_admin;
use crate::audit::Entry;
use crate::password::{Owner, Stored};
use crate::schemas::Registered;
use crate::settings::Bootstrap;
use crate::store::passwords::ForeignPassword;
use crate::{Error, store};

/// A password that was checked, as it is stored.
enum Checked<'a> {
    /// Hashed here.
    Own(String),
    /// Hashed elsewhere, at this cost.
    Foreign(&'a str, String),
}

impl Service {
    /// Makes the first administrator that the settings name (`bootstrap`); `None` where they name nobody, or where there is
    /// an administrator already. Call it after [`Service::open`]. Of any number of nodes that do so at once, one makes it.
    ///
    /// # Errors
    /// [`Error::Settings`] where the password is not good enough, the hash none that an import takes, or the address one
    /// of an account that is no administrator; [`Error::Overloaded`], [`Error::Database`].
    pub async fn bootstrap(&self) -> Result<Option<Registered>, Error> {
        // Its role is written by then.
        self.opened()?;
        let settings = &self.0.settings.bootstrap;
        let Some(email) = settings.admin_email.clone() else {
            return Ok(None);
        };
        if has_admin(&mut self.0.db.read().await?).await? {
            return Ok(None);
        }
        let new = admin_account(email, None)?;
        let password = self.bootstrap_password(settings, &new).await?;
        let mut conn = self.0.db.begin().await?;
        store::roles::lock(&mut conn, ADMIN).await?;
        if has_admin(&mut conn).await? {
            return Ok(None);
        }
        let account = self.first_in(&mut conn, new, &password).await?;
        let entry = Entry::new("setup").by(&Principal::operator());
        let entry = entry.about(account.id.uuid()).detail("from", "settings");
        self.audit_in(&mut conn, entry).await?;
        conn.commit().await?;
        Ok(Some(account.into()))
    }

    async fn first_in(
        &self,
        conn: &mut Conn,
        new: NewAccount,
        password: &Checked<'_>,
    ) -> Result<Account, Error> {
        let must_change = self.0.settings.bootstrap.must_change;
        let account = match self
            .0
            .directory
            .create(conn, new)
            .await
            .map_err(Error::from)
        {
            Err(Error::EmailTaken) => {
                let mend = "an account has this address and is no administrator: give it the role, or name another address";
                return Err(wrong("admin_email", mend));
            }
            made => made?,
        };
        self.add_subject(conn, account.id).await?;
        match password {
            Checked::Own(hash) => {
                store::passwords::insert(conn, account.id, hash, self.now()).await?;
                store::passwords::must_change(conn, account.id, must_change).await?;
            }
            Checked::Foreign(hash, cost) => {
                let password = ForeignPassword {
                    hash,
                    cost,
                    must_change,
                };
                store::passwords::import(conn, account.id, &password, self.now()).await?;
            }
        }
        store::grants::add_named(conn, account.id, ADMIN, None, self.now()).await?;
        Ok(account)
    }

    async fn bootstrap_password<'a>(
        &self,
        settings: &'a Bootstrap,
        new: &NewAccount,
    ) -> Result<Checked<'a>, Error> {
        if let Some(hash) = &settings.admin_password_hash {
            let hash = hash.expose();
            let cost = self.0.pool.cost(Stored::imported(hash)).ok_or_else(|| {
                let mend =
                    "expected argon2, bcrypt, PBKDF2 or scrypt as passlib or Django store them";
                wrong("admin_password_hash", mend)
            })?;
            return Ok(Checked::Foreign(hash, cost));
        }
        let none = || wrong("admin_email", "expected a password with it");
        let password: &Secret<String> = settings.admin_password.as_ref().ok_or_else(none)?;
        match self.hash_new(password, &Owner::from(new)).await {
            Ok(hash) => Ok(Checked::Own(hash)),
            Err(Error::Invalid { invalid, .. }) => {
                Err(wrong("admin_password", &invalid.to_string()))
            }
            Err(error) => Err(error),
        }
    }
}

fn wrong(key: &str, mend: &str) -> Error {
    Error::Settings(format!("bootstrap.{key}: {mend}"))
}
