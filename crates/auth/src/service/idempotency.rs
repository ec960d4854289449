use std::time::Duration;

use cgcg_core::{Conn, Timestamp};

use super::Service;
use crate::idempotency::{IdempotencyKey, Once, body};
use crate::schemas::{AccountCreate, Answered, Welcome};
use crate::{Error, store};

/// How long a key stands for its first request.
const LIFE: Duration = Duration::from_secs(24 * 3_600);

impl Service {
    pub(super) fn once(&self, key: &IdempotencyKey, new: &AccountCreate) -> Result<Once, Error> {
        let keys = &self.0.keys.idempotency.current;
        Ok(Once {
            key: keys.derive("key")?.mac(&[key.as_bytes()]),
            fingerprint: keys.derive("body")?.mac(&[&body(new)]),
        })
    }

    /// The answer that the key got before; `None` for a fresh key.
    pub(super) async fn replay(&self, once: &Once) -> Result<Option<Answered>, Error> {
        let mut conn = self.0.db.read().await?;
        let Some(known) = store::idempotency::find(&mut conn, &once.key, self.oldest_key()).await?
        else {
            return Ok(None);
        };
        if known.fingerprint != once.fingerprint {
            return Err(Error::IdempotencyKeyReused);
        }
        let welcome = match known.user_id {
            None => Welcome::CheckEmail,
            Some(user) => {
                let account = self.0.directory.find(&mut conn, user).await?;
                Welcome::Made(account.ok_or(Error::UserNotFound)?.into())
            }
        };
        Ok(Some(Answered {
            welcome,
            replayed: true,
        }))
    }

    /// `false` where somebody else took the key meanwhile.
    pub(super) async fn claim_in(&self, conn: &mut Conn, once: &Once) -> Result<bool, Error> {
        let (since, now) = (self.oldest_key(), self.now());
        let claimed =
            store::idempotency::claim(conn, &once.key, &once.fingerprint, since, now).await?;
        Ok(claimed)
    }

    fn oldest_key(&self) -> Timestamp {
        self.now() - LIFE
    }
}
