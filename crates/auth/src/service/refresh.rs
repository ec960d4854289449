use std::time::Duration;

use cgcg_core::{AccountStatus, Conn, Secret, Timestamp};
use metrics::counter;
use tracing::{info, warn};

use super::Service;
use super::session::Started;
use crate::audit::Entry;
use crate::mail::{Letter, Template};
use crate::refresh::RefreshToken;
use crate::schemas::{Device, SessionInDb, Tokens};
use crate::throttle::Bucket;
use crate::{Error, LostResponse, message, store};

/// How far a clock may go back between a rotation and its replay.
const BACKWARDS: Duration = Duration::from_secs(5);

/// What became of a refresh, all of it to be committed.
enum Outcome {
    Rotated(Started),
    /// The answer was lost, or another tab was faster: the same successor again.
    Replayed(Started),
    Ended,
    Disabled,
    Reused,
}

impl Service {
    /// Takes a refresh token for its successor and a new access token. A token that comes back within
    /// `sessions.grace` gets the same successor again; one that comes back later ends its session, since either its
    /// owner or the other who holds it is a thief.
    ///
    /// # Errors
    /// [`Error::InvalidGrant`], whatever the cause; [`Error::Throttled`] for an address that refreshes too often. On
    /// [`Error::Database`] try again with the same token.
    pub async fn refresh(&self, token: &Secret<String>, device: &Device) -> Result<Tokens, Error> {
        self.admit_call(Bucket::Refresh, device)?;
        let (word, answer) = match self.step(token, device).await {
            Ok(Some(Outcome::Rotated(started))) => ("rotated", self.sign(&started)),
            Ok(Some(Outcome::Replayed(started))) => ("replay", self.sign(&started)),
            Ok(Some(Outcome::Ended)) => ("ended", Err(Error::InvalidGrant)),
            Ok(Some(Outcome::Disabled)) => ("disabled", Err(Error::InvalidGrant)),
            Ok(Some(Outcome::Reused)) => ("reused", Err(Error::InvalidGrant)),
            Ok(None) => ("invalid", Err(Error::InvalidGrant)),
            Err(error) => ("error", Err(error)),
        };
        counter!("cgcg_auth_refresh_total", "outcome" => word).increment(1);
        if answer.is_err() {
            info!(outcome = word, "refresh refused");
        }
        answer
    }

    /// `None` for a token that is not ours: nothing is written then.
    async fn step(
        &self,
        token: &Secret<String>,
        device: &Device,
    ) -> Result<Option<Outcome>, Error> {
        self.opened()?;
        let Some(token) = RefreshToken::parse(token.expose()) else {
            return Ok(None);
        };
        let row = store::sessions::find(&mut self.0.db.read().await?, token.session).await?;
        let genuine = token.is_of(
            &self.0.keys.refresh,
            row.as_ref().map(|row| row.salt.as_slice()),
        );
        let Some(row) = row.filter(|_| genuine) else {
            return Ok(None);
        };
        let mut conn = self.0.db.begin().await?;
        let outcome = self.step_in(&mut conn, &token, &row, device).await?;
        conn.commit().await?;
        Ok(Some(outcome))
    }

    async fn step_in(
        &self,
        conn: &mut Conn,
        token: &RefreshToken,
        seen: &SessionInDb,
        device: &Device,
    ) -> Result<Outcome, Error> {
        let now = self.now();
        let idle_end = self.idle_end(now, seen.expires_at);
        if let Some(row) =
            store::sessions::rotate(conn, token.session, token.generation, now, idle_end).await?
        {
            return self.with_rights(conn, row, Outcome::Rotated).await;
        }
        // The row as it is now: whoever was faster has committed.
        let Some(row) = store::sessions::find(conn, token.session).await? else {
            return Ok(Outcome::Ended);
        };
        if !row.is_live(now) {
            return Ok(Outcome::Ended);
        }
        if token.generation == row.r#gen - 1 && self.may_repeat(row.rotated_at, now) {
            return self.with_rights(conn, row, Outcome::Replayed).await;
        }
        self.end_reused(conn, &row, device).await?;
        Ok(Outcome::Reused)
    }

    /// One of two holders is a thief, and nobody can tell which: both lose the session, and the owner is told.
    async fn end_reused(
        &self,
        conn: &mut Conn,
        row: &SessionInDb,
        device: &Device,
    ) -> Result<(), Error> {
        warn!(session.id = %row.id, user.id = %row.user_id, "a refresh token was used again; its session is over");
        self.end_in(conn, row.user_id, row.id, "reuse").await?;
        let entry = Entry::new("refresh.reuse").about(row.user_id.uuid());
        let entry = entry.session(row.id).refused("invalid_grant");
        self.audit_in(conn, entry.from(device)).await?;
        if let Some(account) = self.0.directory.find(conn, row.user_id).await? {
            let letter = Letter::to(&account, Template::ReuseDetected);
            self.mail_in(conn, letter).await?;
        }
        let message = message::refresh_reused(row.user_id, row.id);
        self.0.publisher.publish_in(conn, vec![message]).await?;
        Ok(())
    }

    async fn with_rights(
        &self,
        conn: &mut Conn,
        session: SessionInDb,
        outcome: fn(Started) -> Outcome,
    ) -> Result<Outcome, Error> {
        let account = self.0.directory.find(conn, session.user_id).await?;
        let active = account.is_some_and(|account| account.status == AccountStatus::Active);
        let rights = store::subjects::rights(conn, session.user_id).await?;
        match rights.filter(|_| active) {
            Some(rights) => Ok(outcome(Started { session, rights })),
            None => {
                self.end_in(conn, session.user_id, session.id, "account")
                    .await?;
                Ok(Outcome::Disabled)
            }
        }
    }

    /// Whether the last token but one gets its successor again, which nobody has used yet.
    fn may_repeat(&self, rotated_at: Timestamp, now: Timestamp) -> bool {
        if self.0.settings.sessions.lost_response == LostResponse::UntilNext {
            return true;
        }
        let after = now.since(rotated_at);
        let before = rotated_at.since(now);
        after <= self.0.settings.sessions.grace.get() && before <= BACKWARDS
    }
}
