use std::time::Duration;

use cgcg_core::{Conn, Principal, Timestamp};

use super::Service;
use super::rights::all_held;
use crate::audit::Entry;
use crate::keyring::{JWKS_MAX_AGE, KeyState, ListedKey};
use crate::store::keys::SigningKeyInDb;
use crate::token::LEEWAY;
use crate::worker::RELOAD;
use crate::{Error, store};

/// Until every node knows what is in the database: one of its readings may fail.
const KNOWN: Duration = Duration::from_secs(2 * RELOAD.as_secs());

/// How long the next signing key must have been published before it signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// An hour and two minutes: by then no verifier that obeys the `max-age` of the JWKS is without it.
    Published,
    /// Two minutes: by then our own nodes know it. Verifiers elsewhere that keep an older JWKS, and do not read it again
    /// for a `kid` that they do not know, refuse tokens for up to an hour.
    Soon,
}

impl Pace {
    const fn published_for(self) -> Duration {
        match self {
            Self::Published => Duration::from_secs(JWKS_MAX_AGE.as_secs() + KNOWN.as_secs()),
            Self::Soon => KNOWN,
        }
    }
}

impl Service {
    /// Lets the next signing key take over, as soon as it has been published for long enough; makes it where there is
    /// none. Tokens of the key before it stay good until they end. Answers all keys; where the next one still waits,
    /// the worker `auth.keys` of any node lets it take over at its time.
    ///
    /// # Errors
    /// [`Error::ScopeNotHeld`] for anybody who may not do everything, [`Error::Database`], [`Error::Key`].
    pub async fn rotate_keys(&self, by: &Principal, pace: Pace) -> Result<Vec<ListedKey>, Error> {
        all_held(by)?;
        let mut conn = self.0.db.begin().await?;
        store::keys::lock(&mut conn).await?;
        self.turn_in(&mut conn, Some(by)).await?;
        if let Some(next) = of(&store::keys::list(&mut conn).await?, KeyState::Next) {
            let ready = next.created_at + pace.published_for();
            store::keys::hasten(&mut conn, &next.kid, ready.max(self.now())).await?;
        }
        self.turn_in(&mut conn, Some(by)).await?;
        conn.commit().await?;
        self.reload_keys().await?;
        self.list_keys(by).await
    }

    /// Refuses every token of the key `kid` from now on: here at once, on other nodes within a minute. Where it is the
    /// active one, the next takes over in the same moment, however short it was published. For a key that got known.
    ///
    /// # Errors
    /// [`Error::KeyNotFound`], and as [`Service::rotate_keys`].
    pub async fn revoke_key(&self, by: &Principal, kid: &str) -> Result<Vec<ListedKey>, Error> {
        all_held(by)?;
        let mut conn = self.0.db.begin().await?;
        store::keys::lock(&mut conn).await?;
        let keys = store::keys::list(&mut conn).await?;
        let revoked = keys.iter().find(|key| key.kid == kid);
        let revoked = revoked.ok_or(Error::KeyNotFound)?;
        if revoked.state == "active" {
            self.make_next(&mut conn, self.now(), Some(by)).await?;
            let keys = store::keys::list(&mut conn).await?;
            let next = of(&keys, KeyState::Next).ok_or(Error::KeyNotFound)?;
            self.take_over(&mut conn, revoked, next, Some(by)).await?;
        }
        store::keys::remove(&mut conn, kid).await?;
        self.note(&mut conn, "signing_key.revoked", kid, Some(by))
            .await?;
        self.turn_in(&mut conn, Some(by)).await?;
        conn.commit().await?;
        self.reload_keys().await?;
        self.list_keys(by).await
    }

    /// Seals the signing keys with the current master key, in the caller's transaction: what a change of that key
    /// needs before the previous one goes. Answers how many they are.
    ///
    /// # Errors
    /// [`Error::WrongKey`] where neither key opens one, and as [`Service::rotate_keys`].
    pub async fn reseal_keys(&self, conn: &mut Conn, by: &Principal) -> Result<usize, Error> {
        all_held(by)?;
        store::keys::lock(conn).await?;
        let keys = store::keys::list(conn).await?;
        for row in &keys {
            let sealed = self.seal(&self.unseal(row)?)?;
            store::keys::reseal(conn, &row.kid, &sealed).await?;
            self.note(conn, "signing_key.resealed", &row.kid, Some(by))
                .await?;
        }
        Ok(keys.len())
    }

    /// Takes over what other nodes did to the keys, and does itself what is due.
    pub(crate) async fn keep_keys(&self) -> Result<(), Error> {
        let keys = store::keys::list(&mut self.0.db.read().await?).await?;
        if self.is_due(&keys) {
            let mut conn = self.0.db.begin().await?;
            store::keys::lock(&mut conn).await?;
            self.turn_in(&mut conn, None).await?;
            conn.commit().await?;
        }
        self.reload_keys().await
    }

    fn is_due(&self, keys: &[SigningKeyInDb]) -> bool {
        let now = self.now();
        let ended = |key: &SigningKeyInDb| key.delete_at.is_some_and(|time| time <= now);
        let pair = of(keys, KeyState::Active).zip(of(keys, KeyState::Next));
        let due = pair.is_none_or(|(active, next)| {
            let at = self.takes_over_at(active, next);
            at <= now || next.activate_at.is_none_or(|stored| at < stored)
        });
        due || keys.iter().any(ended)
    }

    /// As it is stored, or earlier, where the settings have been changed since.
    fn takes_over_at(&self, active: &SigningKeyInDb, next: &SigningKeyInDb) -> Timestamp {
        let due = since(active) + self.0.settings.keys.rotate_every.get();
        let due = due.max(next.created_at + Pace::Published.published_for());
        next.activate_at.map_or(due, |stored| stored.min(due))
    }

    /// Whatever is due by now, under the lock.
    async fn turn_in(&self, conn: &mut Conn, by: Option<&Principal>) -> Result<(), Error> {
        let (keys, now) = (store::keys::list(conn).await?, self.now());
        let Some(active) = of(&keys, KeyState::Active) else {
            return Ok(());
        };
        match of(&keys, KeyState::Next) {
            None => self.make_next(conn, since(active), by).await?,
            Some(next) => {
                let at = self.takes_over_at(active, next);
                store::keys::hasten(conn, &next.kid, at).await?;
                if at <= now {
                    self.take_over(conn, active, next, by).await?;
                    self.make_next(conn, now, by).await?;
                }
            }
        }
        Ok(store::keys::remove_ended(conn, now).await?)
    }

    /// Makes the key that follows one which signs since `active_since`, unless there is one.
    pub(super) async fn make_next(
        &self,
        conn: &mut Conn,
        active_since: Timestamp,
        by: Option<&Principal>,
    ) -> Result<(), Error> {
        let due = active_since + self.0.settings.keys.rotate_every.get();
        let published = self.now() + Pace::Published.published_for();
        let activate_at = due.max(published);
        if let Some(kid) = self.make_key(conn, KeyState::Next, activate_at).await? {
            self.note(conn, "signing_key.created", &kid, by).await?;
        }
        Ok(())
    }

    async fn take_over(
        &self,
        conn: &mut Conn,
        active: &SigningKeyInDb,
        next: &SigningKeyInDb,
        by: Option<&Principal>,
    ) -> Result<(), Error> {
        // A key that does not open must not become the one that signs.
        self.unseal(next)?;
        let now = self.now();
        // Other nodes sign with the old key until they have read that there is a new one.
        let last = now + KNOWN + self.0.settings.tokens.access_ttl.get();
        let delete_at = last + Duration::from_secs(LEEWAY.unsigned_abs());
        store::keys::retire(conn, &active.kid, now, delete_at).await?;
        store::keys::activate(conn, &next.kid, now).await?;
        self.note(conn, "signing_key.activated", &next.kid, by)
            .await
    }

    async fn note(
        &self,
        conn: &mut Conn,
        action: &'static str,
        kid: &str,
        by: Option<&Principal>,
    ) -> Result<(), Error> {
        let entry = Entry::new(action).detail("kid", kid);
        let entry = match by {
            Some(by) => entry.by(by),
            None => entry,
        };
        Ok(self.audit_in(conn, entry).await?)
    }
}

/// Since when it signs.
fn since(active: &SigningKeyInDb) -> Timestamp {
    active.activate_at.unwrap_or(active.created_at)
}

fn of(keys: &[SigningKeyInDb], state: KeyState) -> Option<&SigningKeyInDb> {
    keys.iter().find(|key| key.state == state.as_str())
}
