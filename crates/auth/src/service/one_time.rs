use std::time::Duration;

use aws_lc_rs::rand;
use cgcg_core::{Conn, Id, KeyError, Secret, User};

use super::Service;
use crate::one_time::{OneTime, OneTimeToken, Purpose};
use crate::store::one_time::OneTimeInDb;
use crate::{Error, store};

/// A one-time token that was just made.
pub(super) struct Issued {
    /// Its row: what a mail carries.
    pub(super) id: Id<OneTime>,
    /// Its text: for whoever is shown it at once.
    pub(super) token: Secret<String>,
}

impl Service {
    /// Makes a one-time token in the caller's transaction. Older ones of the same account and purpose end. Hold the row of
    /// the subject meanwhile.
    pub(super) async fn issue_in(
        &self,
        conn: &mut Conn,
        purpose: Purpose,
        user: Option<Id<User>>,
        target: Option<&str>,
        life: Duration,
    ) -> Result<Issued, Error> {
        let now = self.now();
        if let Some(user) = user {
            store::one_time::end(conn, user, Some(purpose.as_str()), now).await?;
        }
        let id = Id::new(now);
        let mut salt = [0; 16];
        rand::fill(&mut salt).map_err(|_| KeyError::Chance)?;
        let row = OneTimeInDb {
            purpose: purpose.as_str().to_owned(),
            user_id: user,
            salt: salt.to_vec(),
            target: target.map(str::to_owned),
            expires_at: now + life,
            used_at: None,
        };
        store::one_time::insert(conn, id, &row, now).await?;
        let token = OneTimeToken::write(&self.0.keys.one_time, &salt, purpose, id);
        Ok(Issued { id, token })
    }

    /// The row of a token that is genuine, unused and in time; `None` in every other case. Uses nothing.
    pub(super) async fn look_up(
        &self,
        conn: &mut Conn,
        token: &OneTimeToken,
    ) -> Result<Option<OneTimeInDb>, Error> {
        let row = store::one_time::find(conn, token.id).await?;
        let ours = token.is_of(
            &self.0.keys.one_time,
            row.as_ref().map(|row| row.salt.as_slice()),
        );
        let good = |row: &OneTimeInDb| {
            row.purpose == token.purpose().as_str()
                && row.used_at.is_none()
                && self.now() < row.expires_at
        };
        Ok(row.filter(|row| ours && good(row)))
    }
}
