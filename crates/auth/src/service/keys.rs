use cgcg_core::{Conn, Principal, Timestamp};
use zeroize::Zeroizing;

use super::Service;
use super::rights::all_held;
use crate::keyring::{KeyState, Keys, ListedKey, Published, SigningKey};
use crate::store::keys::{NewKey, SigningKeyInDb};
use crate::{Error, store};

impl Service {
    /// All signing keys, the active one first.
    ///
    /// # Errors
    /// [`Error::ScopeNotHeld`] for anybody who may not do everything, [`Error::Database`].
    pub async fn list_keys(&self, by: &Principal) -> Result<Vec<ListedKey>, Error> {
        all_held(by)?;
        let rows = store::keys::list(&mut self.0.db.read().await?).await?;
        Ok(rows.into_iter().map(listed).collect())
    }

    /// Takes the keys that are in the database now: another node may have put others in force. A key that went before
    /// its time takes with it what is remembered of its tokens.
    pub(crate) async fn reload_keys(&self) -> Result<(), Error> {
        let opened = self.opened()?;
        // One at a time: rows that were read before a change must not be put in force after it.
        let _turn = opened.reload.lock().await;
        if let Some(keys) = self.load_keys().await? {
            let revoked = !keys.hold_all_of(&opened.ring.keys(), self.now());
            opened.ring.replace(keys);
            if revoked {
                self.0.cache.clear_all();
            }
        }
        Ok(())
    }

    /// Makes a key that signs and the one after it, and loads what is there then: of two nodes on an empty database,
    /// one stored its own.
    pub(super) async fn first_keys(&self) -> Result<Keys, Error> {
        let now = self.now();
        let mut conn = self.0.db.begin().await?;
        let made = self.make_key(&mut conn, KeyState::Active, now).await?;
        if made.is_some() {
            self.make_next(&mut conn, now, None).await?;
        }
        conn.commit().await?;
        self.load_keys()
            .await?
            .ok_or_else(|| Error::Key("the signing key was not stored".to_owned()))
    }

    pub(super) async fn load_keys(&self) -> Result<Option<Keys>, Error> {
        let rows = store::keys::list(&mut self.0.db.read().await?).await?;
        let mut active = None;
        let mut others = Vec::new();
        for row in rows {
            // Each is unsealed: whoever writes into the database, but has no master key, must not add one.
            let key = self.unseal(&row)?;
            if row.state == "active" {
                active = Some(key);
            } else {
                others.push(Published {
                    key: key.public().clone(),
                    until: row.delete_at,
                });
            }
        }
        Ok(active.map(|active| Keys::new(active, others)))
    }

    /// Stores a fresh key, unless there is one of that state: then it answers `None`.
    pub(super) async fn make_key(
        &self,
        conn: &mut Conn,
        state: KeyState,
        activate_at: Timestamp,
    ) -> Result<Option<String>, Error> {
        let key = SigningKey::generate()?;
        let new = NewKey {
            kid: key.kid(),
            public_jwk: &key.public().jwk(),
            private_sealed: &self.seal(&key)?,
            state: state.as_str(),
            created_at: self.now(),
            activate_at,
        };
        let elected = store::keys::elect(conn, &new).await?;
        Ok(elected.then(|| key.kid().to_owned()))
    }

    pub(super) fn seal(&self, key: &SigningKey) -> Result<Vec<u8>, Error> {
        let current = &self.0.keys.seal.current;
        Ok(current.seal(key.pkcs8(), key.kid().as_bytes())?)
    }

    pub(super) fn unseal(&self, row: &SigningKeyInDb) -> Result<SigningKey, Error> {
        let wrong_key = || Error::WrongKey {
            kid: row.kid.clone(),
        };
        let pkcs8: Zeroizing<Vec<u8>> = self
            .0
            .keys
            .seal
            .open(&row.private_sealed, row.kid.as_bytes())
            .map_err(|_| wrong_key())?;
        let key = SigningKey::from_pkcs8(&pkcs8)?;
        if key.kid() == row.kid {
            Ok(key)
        } else {
            Err(wrong_key())
        }
    }
}

fn listed(row: SigningKeyInDb) -> ListedKey {
    ListedKey {
        kid: row.kid,
        state: match row.state.as_str() {
            "active" => KeyState::Active,
            "next" => KeyState::Next,
            _ => KeyState::Retired,
        },
        created_at: row.created_at,
        activate_at: row.activate_at,
        retire_at: row.retire_at,
        delete_at: row.delete_at,
    }
}
