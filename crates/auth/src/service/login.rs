use std::time::Duration;

use cgcg_core::{Account, AccountStatus, Conn, Grants, Id, Login, User};
use metrics::counter;
use tracing::{error, info};

use super::Service;
use super::session::Started;
use super::throttle::Target;
use crate::audit::Entry;
use crate::one_time::Purpose;
use crate::password::{Lane, Normal, Policy};
use crate::schemas::{Credentials, Device, Tokens};
use crate::store::passwords::Known;
use crate::store::subjects::Rights;
use crate::throttle::Bucket;
use crate::{Error, store};

/// For whoever has just typed the old password: long enough to think of another one.
const CHANGE_LIFE: Duration = Duration::from_secs(30 * 60);

impl Service {
    /// Opens a session for whoever knows name and password. Every wrong pair takes the same time, whatever of it is known
    /// (see [`Service::time_hashes`]).
    ///
    /// # Errors
    /// [`Error::InvalidCredentials`] for every wrong pair, and for a right one whose address has yet to be proved: else
    /// whoever registers an address would learn whether it was free. Its owner gets a fresh link by mail.
    /// [`Error::AccountDisabled`], [`Error::PasswordChangeRequired`] only after a right pair; [`Error::Invalid`] for a
    /// password that is too long to be anybody's; [`Error::Throttled`] after too many tries; [`Error::Overloaded`].
    pub async fn login(&self, credentials: &Credentials, device: &Device) -> Result<Tokens, Error> {
        counted(self.attempt(credentials, None, device).await)
    }

    /// As [`Service::login`], for a session that may do no more than `scope` (names parted by blanks; all where
    /// `None`). Scopes that the account lacks are left out.
    ///
    /// # Errors
    /// As [`Service::login`], and [`Error::InvalidScope`], [`Error::PasswordGrantOff`].
    pub async fn login_narrowed(
        &self,
        credentials: &Credentials,
        scope: Option<&str>,
        device: &Device,
    ) -> Result<Tokens, Error> {
        if !self.0.settings.tokens.password_grant {
            return Err(Error::PasswordGrantOff);
        }
        let limit = scope
            .map(scope_names)
            .transpose()?
            .filter(|names| !names.is_empty());
        counted(self.attempt(credentials, limit, device).await)
    }

    /// Waits for room before it makes what a login needs: a thousand who wait shall be cheap.
    async fn attempt(
        &self,
        credentials: &Credentials,
        limit: Option<Vec<String>>,
        device: &Device,
    ) -> Result<Tokens, Error> {
        self.opened()?;
        self.admit_call(Bucket::Login, device)?;
        let password = Policy::admit(&credentials.password)
            .map_err(|invalid| Error::invalid("password", invalid))?;
        self.0.pool.room().await?;
        let proof = self.prove(credentials, password, limit, device);
        Box::pin(self.padded(proof)).await
    }

    async fn prove(
        &self,
        credentials: &Credentials,
        password: Normal,
        limit: Option<Vec<String>>,
        device: &Device,
    ) -> Result<Tokens, Error> {
        let (found, target) = self.account_of(&credentials.login, device).await?;
        let stored = found.as_ref().map(|(_, known)| known.stored());
        let verdict = self.0.pool.verify(&credentials.password, stored).await?;
        if let Some((account, _)) = found.as_ref().filter(|_| verdict.unusable) {
            self.report_unusable(account, device).await?;
        }
        let (true, Some((account, known))) = (verdict.matches, found) else {
            self.note_failure(&target, "invalid_credentials", device)
                .await?;
            return Err(Error::InvalidCredentials);
        };
        // Before anything that takes longer than a wrong one.
        self.still_open(&mut self.0.db.read().await?, &target)
            .await?;
        if self.verifies_email() && account.email_verified_at.is_none() {
            // As for a wrong password, down to the counter.
            self.note_failure(&target, "invalid_credentials", device)
                .await?;
            self.remind_to_verify(account.email);
            return Err(Error::InvalidCredentials);
        }
        if let Err((outcome, error)) = self.may_log_in(&account, &known).await {
            self.note_failure(&target, outcome, device).await?;
            return Err(error);
        }
        let stronger = match verdict.rehash {
            true => Some(self.0.pool.hash(Lane::Login, &password).await?),
            false => None,
        };
        let mut conn = self.0.db.begin().await?;
        let started = self
            .start_proved(&mut conn, account.id, &known, limit, device)
            .await?;
        if let Some(stronger) = stronger {
            store::passwords::rehash(&mut conn, account.id, &known.hash, &stronger).await?;
        }
        self.note_success(&mut conn, &target, &started.session, device)
            .await?;
        conn.commit().await?;
        self.sign(&started)
    }

    /// What is asked of an account whose password was right; its code stands before an error.
    async fn may_log_in(
        &self,
        account: &Account,
        known: &Known,
    ) -> Result<(), (&'static str, Error)> {
        if account.status != AccountStatus::Active {
            return Err(("account_disabled", Error::AccountDisabled));
        }
        if known.must_change {
            let required = self.change_required(account.id, &known.hash).await;
            let error = required.unwrap_or_else(|error| error);
            return Err(("password_change_required", error));
        }
        Ok(())
    }

    /// The token with which the owner of a right, but old, password sets a new one.
    async fn change_required(&self, user: Id<User>, hash: &str) -> Result<Error, Error> {
        let mut conn = self.0.db.begin().await?;
        self.admit_proved(&mut conn, user, hash).await?;
        let purpose = Purpose::SetPassword;
        let issued = self
            .issue_in(&mut conn, purpose, Some(user), None, CHANGE_LIFE)
            .await?;
        conn.commit().await?;
        Ok(Error::PasswordChangeRequired {
            reset_token: issued.token,
        })
    }

    /// Nobody can log in with such a hash: an administrator has to know.
    async fn report_unusable(&self, account: &Account, device: &Device) -> Result<(), Error> {
        error!(user.id = %account.id, "a stored password hash is of no known form, or costs too much");
        let mut conn = self.0.db.begin().await?;
        let entry = Entry::new("password.checked").refused("hash_unusable");
        self.audit_in(&mut conn, entry.about(account.id.uuid()).from(device))
            .await?;
        Ok(conn.commit().await?)
    }

    /// Hashing took a while. What it proved still holds where the epoch does: every change raises it.
    async fn start_proved(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        known: &Known,
        limit: Option<Vec<String>>,
        device: &Device,
    ) -> Result<Started, Error> {
        if let Some(rights) = known.rights() {
            let limit = limit.clone();
            let started = self.start_narrowed(conn, user, rights, limit, device).await;
            if let Some(started) = started? {
                return Ok(started);
            }
        }
        let rights = self.admit_proved(conn, user, &known.hash).await?;
        let started = self.start_narrowed(conn, user, rights, limit, device).await;
        started?.ok_or(Error::InvalidCredentials)
    }

    async fn start_narrowed(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        rights: Rights,
        limit: Option<Vec<String>>,
        device: &Device,
    ) -> Result<Option<Started>, Error> {
        if let Some(limit) = &limit {
            let limit: Grants = limit.iter().map(String::as_str).collect();
            if rights.grants().narrow(&limit).iter().next().is_none() {
                return Err(Error::InvalidScope);
            }
        }
        self.start_in(conn, user, rights, limit, device).await
    }

    /// The rights of an account that changed while its password was hashed, or that was never seen here.
    async fn admit_proved(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        hash: &str,
    ) -> Result<Rights, Error> {
        let rights = self.admit(conn, user).await?;
        let account = self
            .0
            .directory
            .find(conn, user)
            .await?
            .ok_or(Error::InvalidCredentials)?;
        if account.status != AccountStatus::Active {
            return Err(Error::AccountDisabled);
        }
        match store::passwords::known(conn, user).await? {
            Some(known) if known.hash == hash => Ok(rights),
            _ => Err(Error::InvalidCredentials),
        }
    }

    /// An account with a password, what is known of it, and the failures at it. A text that is no login is an unknown
    /// name.
    async fn account_of(
        &self,
        login: &str,
        device: &Device,
    ) -> Result<(Option<(Account, Known)>, Target), Error> {
        let mut conn = self.0.db.read().await?;
        let account = match login.parse::<Login>() {
            Ok(login) => self.0.directory.find_by_login(&mut conn, &login).await?,
            Err(_) => None,
        };
        let target = self
            .target(&mut conn, login, account.as_ref(), device)
            .await?;
        let Some(account) = account else {
            return Ok((None, target));
        };
        let known = store::passwords::known(&mut conn, account.id).await?;
        Ok((known.map(|known| (account, known)), target))
    }

    /// What the account may do, held until the transaction ends. An account that was made elsewhere gets its row and
    /// the default roles now; one that was deleted meanwhile does not come back.
    pub(super) async fn admit(&self, conn: &mut Conn, user: Id<User>) -> Result<Rights, Error> {
        if !store::subjects::lock(conn, user).await? {
            let account = self.0.directory.find(conn, user).await?;
            account.ok_or(Error::InvalidCredentials)?;
            self.add_subject(conn, user).await?;
        }
        store::subjects::rights(conn, user)
            .await?
            .ok_or(Error::InvalidCredentials)
    }

    pub(super) async fn add_subject(&self, conn: &mut Conn, user: Id<User>) -> Result<(), Error> {
        if !store::subjects::insert(conn, user).await? {
            store::subjects::lock(conn, user).await?;
            return Ok(());
        }
        for role in &self.0.settings.roles.default {
            store::grants::add_named(conn, user, role, None, self.now()).await?;
        }
        Ok(())
    }
}

/// An account that is not there, for whoever may know it.
pub(super) fn no_account(error: Error) -> Error {
    match error {
        Error::InvalidCredentials => Error::UserNotFound,
        error => error,
    }
}

/// Scopes of a request (RFC 6749, section 3.3): blanks part names of printable ASCII without `"` and `\`.
fn scope_names(text: &str) -> Result<Vec<String>, Error> {
    let fits = |byte: u8| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e);
    let names: Vec<String> = text
        .split(' ')
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let fit = text.len() <= 4_096 && names.iter().all(|name| name.bytes().all(fits));
    if fit {
        Ok(names)
    } else {
        Err(Error::InvalidScope)
    }
}

/// Never says who: people type passwords into the field of the name.
fn counted(outcome: Result<Tokens, Error>) -> Result<Tokens, Error> {
    let word = match &outcome {
        Ok(_) => "success",
        Err(Error::InvalidCredentials) => "invalid_credentials",
        Err(Error::AccountDisabled) => "account_disabled",
        Err(Error::PasswordChangeRequired { .. }) => "password_change_required",
        Err(Error::Overloaded) => "overloaded",
        Err(Error::Throttled { .. }) => "throttled",
        Err(Error::Invalid { .. } | Error::InvalidScope) => "invalid_request",
        Err(_) => "error",
    };
    counter!("cgcg_auth_logins_total", "outcome" => word).increment(1);
    if outcome.is_err() {
        info!(outcome = word, "login failed");
    }
    outcome
}
