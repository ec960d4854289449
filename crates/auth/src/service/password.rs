use cgcg_core::{Account, Conn, Id, Principal, Secret, Session, User};

use super::Service;
use super::session::{Started, person};
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::password::{Lane, Normal, Owner, Policy};
use crate::schemas::{AccessToken, Device, PasswordChange, Reauthentication};
use crate::store::passwords::Known;
use crate::throttle::Bucket;
use crate::{Error, message, store};

impl Service {
    /// Sets another password. Other sessions end unless they shall stay, and with them every one-time token and every
    /// access token but the one that is answered. The owner is told by mail.
    ///
    /// # Errors
    /// [`Error::WrongPassword`] where `current_password` is not theirs, [`Error::Invalid`] for a new one that may not
    /// be set, [`Error::Throttled`] after too many wrong ones, [`Error::NotAPerson`] for keys, [`Error::InvalidGrant`] where the session has just ended,
    /// [`Error::Overloaded`].
    pub async fn change_password(
        &self,
        by: &Principal,
        change: &PasswordChange,
        device: &Device,
    ) -> Result<AccessToken, Error> {
        const ACT: &str = "password.changed";
        self.opened()?;
        let (user, session) = person(by)?;
        let account = self.account(user).await?;
        let new = self.may_set(&change.new_password, &Owner::from(&account), "new_password")?;
        let current = ("current_password", &change.current_password);
        let old = self.prove_again(by, user, current, ACT, device).await?;
        let hash = self.0.pool.hash(Lane::Login, &new).await?;
        let mut conn = self.0.db.begin().await?;
        self.admit(&mut conn, user).await?;
        if !store::passwords::change(&mut conn, user, &old.hash, &hash, self.now()).await? {
            return Err(Error::WrongPassword);
        }
        if !change.keep_other_sessions {
            self.end_sessions_in(&mut conn, user, Some(session), "password")
                .await?;
        }
        self.password_changed_in(&mut conn, &account).await?;
        let entry = Entry::new(ACT).by(by).about(user.uuid()).from(device);
        self.audit_in(&mut conn, entry).await?;
        let started = self.proved_in(&mut conn, user, session).await?;
        conn.commit().await?;
        self.sign_access(&started)
    }

    /// Takes the password of whoever is logged in, for what asks for a fresh login.
    ///
    /// # Errors
    /// As [`Service::change_password`].
    pub async fn reauthenticate(
        &self,
        by: &Principal,
        proof: &Reauthentication,
        device: &Device,
    ) -> Result<AccessToken, Error> {
        const ACT: &str = "login.reauthenticated";
        self.opened()?;
        let (user, session) = person(by)?;
        let given = ("password", &proof.password);
        let known = self.prove_again(by, user, given, ACT, device).await?;
        let mut conn = self.0.db.begin().await?;
        self.still_proved(&mut conn, user, &known).await?;
        let entry = Entry::new(ACT).by(by).about(user.uuid()).from(device);
        self.audit_in(&mut conn, entry).await?;
        let started = self.proved_in(&mut conn, user, session).await?;
        let service = self.clone();
        conn.on_commit(move || service.0.cache.clear_session(user, session));
        conn.commit().await?;
        self.sign_access(&started)
    }

    /// The hash of a password that `owner` may set.
    pub(super) async fn hash_new(
        &self,
        password: &Secret<String>,
        owner: &Owner,
    ) -> Result<String, Error> {
        let password = self.may_set(password, owner, "password")?;
        Ok(self.0.pool.hash(Lane::Register, &password).await?)
    }

    /// What a new password ends beside sessions, in the transaction that stores it: one-time tokens and access tokens.
    /// Tells the owner and whoever listens.
    pub(super) async fn password_changed_in(
        &self,
        conn: &mut Conn,
        account: &Account,
    ) -> Result<(), Error> {
        let user = account.id;
        self.end_proofs_in(conn, user).await?;
        let letter = Letter::to(account, Template::PasswordChanged);
        self.mail_in(conn, letter).await?;
        let told = vec![message::password_changed(user)];
        Ok(self.0.publisher.publish_in(conn, told).await?)
    }

    fn may_set(
        &self,
        password: &Secret<String>,
        owner: &Owner,
        field: &'static str,
    ) -> Result<Normal, Error> {
        let checked = self.0.policy.check(password, owner);
        checked.map_err(|invalid| Error::invalid(field, invalid))
    }

    async fn account(&self, user: Id<User>) -> Result<Account, Error> {
        let mut conn = self.0.db.read().await?;
        let account = self.0.directory.find(&mut conn, user).await?;
        account.ok_or(Error::InvalidGrant)
    }

    /// The password of somebody who is logged in, and knows it. A wrong one leaves a line in the audit. Each try counts as
    /// a login of its address.
    pub(super) async fn prove_again(
        &self,
        by: &Principal,
        user: Id<User>,
        (field, given): (&'static str, &Secret<String>),
        act: &'static str,
        device: &Device,
    ) -> Result<Known, Error> {
        self.admit_call(Bucket::Login, device)?;
        Policy::admit(given).map_err(|invalid| Error::invalid(field, invalid))?;
        let mut conn = self.0.db.read().await?;
        let account = self.0.directory.find(&mut conn, user).await?;
        let account = account.ok_or(Error::InvalidGrant)?;
        // A stolen access token is no way around the counter of wrong passwords.
        let login = account.email.canonical();
        let target = self
            .target(&mut conn, &login, Some(&account), device)
            .await?;
        let known = store::passwords::known(&mut conn, user).await?;
        drop(conn);
        let stored = known.as_ref().map(Known::stored);
        let verdict = self.0.pool.verify(given, stored).await?;
        if let Some(known) = known.filter(|_| verdict.matches) {
            let mut conn = self.0.db.begin().await?;
            self.hold_open(&mut conn, &target).await?;
            conn.commit().await?;
            return Ok(known);
        }
        self.note_failure(&target, "invalid_credentials", device)
            .await?;
        let mut conn = self.0.db.begin().await?;
        let entry = Entry::new(act).refused("wrong_password").by(by);
        self.audit_in(&mut conn, entry.about(user.uuid()).from(device))
            .await?;
        conn.commit().await?;
        Err(Error::WrongPassword)
    }

    /// Hashing took a while: what it proved must still hold, and does so until the transaction ends.
    pub(super) async fn still_proved(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        proved: &Known,
    ) -> Result<(), Error> {
        self.admit(conn, user).await?;
        match store::passwords::known(conn, user).await? {
            Some(now) if now.hash == proved.hash => Ok(()),
            _ => Err(Error::WrongPassword),
        }
    }

    /// Notes the new proof in the session, and what it may do from here on.
    async fn proved_in(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        session: Id<Session>,
    ) -> Result<Started, Error> {
        let session = store::sessions::prove(conn, session, self.now()).await?;
        let rights = store::subjects::rights(conn, user).await?;
        let (Some(session), Some(rights)) = (session, rights) else {
            return Err(Error::InvalidGrant);
        };
        Ok(Started { session, rights })
    }
}
