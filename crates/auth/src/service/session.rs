use aws_lc_rs::rand;
use cgcg_core::{Conn, Grants, Id, KeyError, Principal, Proof, Secret, Session, Timestamp, User};
use metrics::counter;
use sqlx::types::Json;

use super::Service;
use crate::audit::Entry;
use crate::refresh::RefreshToken;
use crate::schemas::{AccessToken, Device, SessionInDb, Tokens};
use crate::store::sessions::Origin;
use crate::store::subjects::Rights;
use crate::token::{NewToken, mint};
use crate::{Error, message, store};

/// How persons prove who they are, by now (RFC 8176).
const PASSWORD: &str = "pwd";

/// A session as it is after a commit: all that is needed to sign.
pub(super) struct Started {
    pub(super) session: SessionInDb,
    pub(super) rights: Rights,
}

impl Service {
    /// Ends the session that `by` shows. Nothing that was made for it works on this node from then on.
    ///
    /// # Errors
    /// [`Error::NotAPerson`] for keys, [`Error::Database`].
    pub async fn logout(&self, by: &Principal, device: &Device) -> Result<(), Error> {
        let (user, session) = person(by)?;
        self.log_out(user, session, device).await
    }

    /// Ends the session of a refresh token, whichever of its tokens it is. A session that has ended stays so.
    ///
    /// # Errors
    /// [`Error::InvalidGrant`] for a token that is not ours, [`Error::Database`].
    pub async fn logout_with(
        &self,
        refresh_token: &Secret<String>,
        device: &Device,
    ) -> Result<(), Error> {
        let token = RefreshToken::parse(refresh_token.expose()).ok_or(Error::InvalidGrant)?;
        let row = store::sessions::find(&mut self.0.db.read().await?, token.session).await?;
        if !token.is_of(
            &self.0.keys.refresh,
            row.as_ref().map(|row| row.salt.as_slice()),
        ) {
            return Err(Error::InvalidGrant);
        }
        match row {
            Some(row) => self.log_out(row.user_id, row.id, device).await,
            None => Err(Error::InvalidGrant),
        }
    }

    /// Ends all sessions of the person, this one too.
    ///
    /// # Errors
    /// As [`Service::logout`].
    pub async fn end_sessions(&self, by: &Principal, device: &Device) -> Result<(), Error> {
        self.end_all_but(by, None, device).await
    }

    /// Ends all sessions of the person but the one that `by` shows.
    ///
    /// # Errors
    /// As [`Service::logout`].
    pub async fn end_other_sessions(&self, by: &Principal, device: &Device) -> Result<(), Error> {
        let (_, session) = person(by)?;
        self.end_all_but(by, Some(session), device).await
    }

    async fn log_out(
        &self,
        user: Id<User>,
        session: Id<Session>,
        device: &Device,
    ) -> Result<(), Error> {
        let mut conn = self.0.db.begin().await?;
        if self.end_in(&mut conn, user, session, "logout").await? {
            let entry = Entry::new("logout").session(session).by_user(user);
            let entry = entry.about(user.uuid()).from(device);
            self.audit_in(&mut conn, entry).await?;
        }
        Ok(conn.commit().await?)
    }

    async fn end_all_but(
        &self,
        by: &Principal,
        keep: Option<Id<Session>>,
        device: &Device,
    ) -> Result<(), Error> {
        let (user, _) = person(by)?;
        let mut conn = self.0.db.begin().await?;
        let ended = self
            .end_sessions_in(&mut conn, user, keep, "logout")
            .await?;
        let entry = Entry::new("session.revoked").by(by).about(user.uuid());
        let entry = entry.detail("reason", "logout").detail("sessions", ended);
        self.audit_in(&mut conn, entry.from(device)).await?;
        Ok(conn.commit().await?)
    }

    /// Whether it lived until now.
    pub(super) async fn end_in(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        session: Id<Session>,
        reason: &'static str,
    ) -> Result<bool, Error> {
        let ended = store::sessions::revoke(conn, session, reason, self.now()).await?;
        if ended {
            self.tell_ended(conn, user, &[session], reason).await?;
        }
        Ok(ended)
    }

    /// Publishes the ends of sessions, and forgets them here in the moment of the commit.
    pub(super) async fn tell_ended(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        ended: &[Id<Session>],
        reason: &'static str,
    ) -> Result<(), Error> {
        if ended.is_empty() {
            return Ok(());
        }
        let messages = ended
            .iter()
            .map(|session| message::session_revoked(user, *session, reason))
            .collect();
        self.0.publisher.publish_in(conn, messages).await?;
        let (service, ended) = (self.clone(), ended.to_vec());
        conn.on_commit(move || {
            let count = u64::try_from(ended.len()).unwrap_or_default();
            counter!("cgcg_auth_sessions_revoked_total", "reason" => reason).increment(count);
            ended
                .iter()
                .for_each(|session| service.0.cache.clear_session(user, *session))
        });
        Ok(())
    }

    /// Writes a new session into the caller's transaction; `None` where the account has other rights by now.
    pub(super) async fn start_in(
        &self,
        conn: &mut Conn,
        user: Id<User>,
        rights: Rights,
        scope_limit: Option<Vec<String>>,
        device: &Device,
    ) -> Result<Option<Started>, Error> {
        let now = self.now();
        let session = self.new_session(user, scope_limit, now)?;
        let origin = Origin {
            methods: PASSWORD,
            ip: device.ip.map(|ip| ip.to_string()),
            user_agent: device.user_agent(),
        };
        if !store::sessions::insert(conn, &session, &origin, rights.epoch).await? {
            return Ok(None);
        }
        let others = i64::from(self.0.settings.sessions.max_per_user) - 1;
        let ended = store::sessions::revoke_surplus(conn, user, session.id, others, now).await?;
        self.tell_ended(conn, user, &ended, "surplus").await?;
        self.0
            .publisher
            .publish_in(conn, vec![message::session_created(user, session.id)])
            .await?;
        Ok(Some(Started { session, rights }))
    }

    fn new_session(
        &self,
        user: Id<User>,
        scope_limit: Option<Vec<String>>,
        now: Timestamp,
    ) -> Result<SessionInDb, Error> {
        let expires_at = now + self.0.settings.sessions.absolute.get();
        let mut salt = vec![0; 16];
        rand::fill(&mut salt).map_err(|_| KeyError::Chance)?;
        Ok(SessionInDb {
            id: Id::new(now),
            user_id: user,
            r#gen: 0,
            salt,
            rotated_at: now,
            idle_expires_at: self.idle_end(now, expires_at),
            expires_at,
            revoked_at: None,
            logged_in_at: now,
            factors: 1,
            scope_limit: scope_limit.map(Json),
        })
    }

    /// When a session ends that is used now. Never later than it would anyway.
    pub(super) fn idle_end(&self, now: Timestamp, expires_at: Timestamp) -> Timestamp {
        expires_at.min(now + self.0.settings.sessions.idle.get())
    }

    /// Signs what was committed.
    pub(super) fn sign(&self, started: &Started) -> Result<Tokens, Error> {
        let session = &started.session;
        let access = self.sign_access(started)?;
        Ok(Tokens {
            access_token: access.access_token,
            token_type: access.token_type,
            expires_in: access.expires_in,
            refresh_token: RefreshToken::write(
                &self.0.keys.refresh,
                &session.salt,
                session.id,
                session.r#gen,
            ),
            refresh_expires_in: session.ends_at().since(self.now()).as_secs(),
            scope: access.scope,
        })
    }

    /// As [`Service::sign`], for a client that keeps its refresh token.
    pub(super) fn sign_access(&self, started: &Started) -> Result<AccessToken, Error> {
        let opened = self.opened()?;
        let (session, rights, now) = (&started.session, &started.rights, self.now());
        let scope = session
            .scope_limit
            .as_ref()
            .map(|_| words(&effective(rights.grants(), session)));
        let claims = opened.issuer.claims(
            now,
            NewToken {
                user: session.user_id,
                session: session.id,
                logged_in_at: session.logged_in_at,
                methods: vec![PASSWORD.to_owned()],
                epoch: rights.epoch,
                roles: rights.roles(),
                scope: scope.clone(),
            },
        );
        Ok(AccessToken {
            access_token: Secret::new(mint(&opened.ring, &claims)?),
            token_type: "Bearer",
            expires_in: opened.issuer.ttl.get().as_secs(),
            scope,
        })
    }
}

/// What the account may do now, narrowed to what the session was opened for.
pub(super) fn effective(grants: Grants, session: &SessionInDb) -> Grants {
    match &session.scope_limit {
        Some(limit) => grants.narrow(&limit.iter().map(String::as_str).collect()),
        None => grants,
    }
}

fn words(grants: &Grants) -> String {
    grants.iter().collect::<Vec<_>>().join(" ")
}

/// Sessions, passwords and keys are managed by a person who shows a session. No key makes, shows or ends keys.
pub(super) fn person(by: &Principal) -> Result<(Id<User>, Id<Session>), Error> {
    match (by.user(), by.proof) {
        (Some(user), Proof::Session(session)) => Ok((user, session)),
        _ => Err(Error::NotAPerson),
    }
}
