use cgcg_core::{Conn, DirectoryError, Email, Invalid, Locale, NewAccount, Principal, Username};

use super::Service;
use super::register::checked_name;
use super::rights::all_held;
use crate::audit::Entry;
use crate::password::Stored;
use crate::schemas::{ImportUser, Imported};
use crate::store::passwords::ForeignPassword;
use crate::{Error, store};

/// Accounts of one call: others wait for the writer meanwhile.
const MOST: usize = 1_000;

impl Service {
    /// Takes over accounts of another system with their hashes, in one transaction, and answers for each what became of
    /// it, in the order given. What is there already stays as it is, so an import that was cut short can be repeated. At
    /// their next login people get a hash of ours.
    ///
    /// # Errors
    /// [`Error::ScopeNotHeld`] where `by` may not do everything; [`Error::Invalid`] for more than 1000 accounts at once.
    /// After any error nothing was made.
    pub async fn import(
        &self,
        by: &Principal,
        users: &[ImportUser],
    ) -> Result<Vec<Imported>, Error> {
        let (conn, outcomes) = self.import_in(by, users).await?;
        conn.commit().await?;
        Ok(outcomes)
    }

    /// As [`Service::import`], and makes nothing.
    ///
    /// # Errors
    /// As [`Service::import`].
    pub async fn try_import(
        &self,
        by: &Principal,
        users: &[ImportUser],
    ) -> Result<Vec<Imported>, Error> {
        let (_rolled_back, outcomes) = self.import_in(by, users).await?;
        Ok(outcomes)
    }

    async fn import_in(
        &self,
        by: &Principal,
        users: &[ImportUser],
    ) -> Result<(Conn, Vec<Imported>), Error> {
        self.opened()?;
        all_held(by)?;
        if users.len() > MOST {
            let invalid = Invalid::new("too_many", format!("expected at most {MOST} at once"));
            return Err(Error::invalid("users", invalid));
        }
        let mut conn = self.0.db.begin().await?;
        let mut outcomes = Vec::with_capacity(users.len());
        for user in users {
            outcomes.push(match self.import_one(&mut conn, by, user).await {
                Ok(outcome) => outcome,
                Err(Error::Invalid { field, invalid }) => Imported::Refused { field, invalid },
                Err(error) => return Err(error),
            });
        }
        let count =
            |is: fn(&Imported) -> bool| outcomes.iter().filter(|outcome| is(outcome)).count();
        let entry = Entry::new("import")
            .by(by)
            .detail(
                "made",
                count(|outcome| matches!(outcome, Imported::Made(_))),
            )
            .detail("present", count(|outcome| *outcome == Imported::Present))
            .detail(
                "refused",
                count(|outcome| matches!(outcome, Imported::Refused { .. })),
            );
        self.audit_in(&mut conn, entry).await?;
        Ok((conn, outcomes))
    }

    /// Everything is checked before anything is written: a refused account leaves no half of it in the transaction.
    async fn import_one(
        &self,
        conn: &mut Conn,
        by: &Principal,
        user: &ImportUser,
    ) -> Result<Imported, Error> {
        let email: Email = parsed("email", &user.email)?;
        let (username, locale) = (user.username.as_deref(), user.locale.as_deref());
        let new = NewAccount {
            username: username
                .map(|name| parsed::<Username>("username", name))
                .transpose()?,
            display_name: checked_name(user.display_name.clone())?,
            locale: locale
                .map(|locale| parsed::<Locale>("locale", locale))
                .transpose()?
                .map(String::from),
            email,
            email_verified: user.email_verified,
        };
        if new.username.is_some() && self.0.host.without_usernames {
            let invalid = Invalid::new("usernames_off", "accounts have no user names here");
            return Err(Error::invalid("username", invalid));
        }
        let password = self.imported_password(user)?;
        for role in &user.roles {
            if store::roles::find(conn, role).await?.is_none() {
                let invalid = Invalid::new("role_unknown", "there is no such role");
                return Err(Error::invalid("roles", invalid));
            }
        }
        let account = match self.0.directory.create(conn, new).await {
            Ok(account) => account,
            Err(DirectoryError::EmailTaken) => return Ok(Imported::Present),
            Err(DirectoryError::UsernameTaken) => {
                let invalid = Invalid::new("username_taken", "another account has this user name");
                return Err(Error::invalid("username", invalid));
            }
            Err(error) => return Err(error.into()),
        };
        self.add_subject(conn, account.id).await?;
        let granted_by = by.user().map(|user| user.uuid());
        for role in &user.roles {
            store::grants::add_named(conn, account.id, role, granted_by, self.now()).await?;
        }
        if let Some(password) = &password {
            store::passwords::import(conn, account.id, &password.as_foreign(), self.now()).await?;
        }
        Ok(Imported::Made(account.id))
    }

    /// `None` where the account has no password.
    fn imported_password<'a>(
        &self,
        user: &'a ImportUser,
    ) -> Result<Option<ImportedPassword<'a>>, Error> {
        let hash = user
            .password_hash
            .as_ref()
            .map(|hash| hash.expose().as_str());
        // Django writes `!` and chance where there is no password.
        let Some(hash) = hash.filter(|hash| !hash.is_empty() && !hash.starts_with('!')) else {
            return Ok(None);
        };
        match self.0.pool.cost(Stored::imported(hash)) {
            Some(cost) => Ok(Some(ImportedPassword {
                hash,
                cost,
                must_change: user.must_change,
            })),
            None => {
                let invalid = Invalid::new(
                    "password_hash_invalid",
                    "expected argon2, bcrypt, PBKDF2 or scrypt as passlib or Django store them, within the bounds on their cost",
                );
                Err(Error::invalid("password_hash", invalid))
            }
        }
    }
}

/// A hash that was found to be one.
struct ImportedPassword<'a> {
    hash: &'a str,
    cost: String,
    must_change: bool,
}

impl ImportedPassword<'_> {
    fn as_foreign(&self) -> ForeignPassword<'_> {
        ForeignPassword {
            hash: self.hash,
            cost: &self.cost,
            must_change: self.must_change,
        }
    }
}

fn parsed<T: std::str::FromStr<Err = Invalid>>(
    field: &'static str,
    text: &str,
) -> Result<T, Error> {
    text.parse()
        .map_err(|invalid| Error::invalid(field, invalid))
}
