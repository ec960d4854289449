use std::future::ready;
use std::sync::Arc;

use cgcg_core::{
    Account, AccountStatus, Authenticator, BoxFuture, Conn, Credential, Denied, DirectoryError, Id,
    Principal, Proof, Session, Subject,
};
use metrics::counter;
use tracing::warn;

use super::Service;
use super::session::effective;
use crate::cache::{Cache, Key};
use crate::store::sessions::Standing;
use crate::token::{Claims, Rejected};
use crate::{Error, api_key, store};

impl Authenticator for Service {
    /// From memory where the token was checked less than `sessions.check` ago.
    fn authenticate<'a>(
        &'a self,
        credential: Credential<'a>,
    ) -> BoxFuture<'a, Result<Arc<Principal>, Denied>> {
        let Credential::Bearer(token) = credential else {
            return Box::pin(ready(Err(Denied::Invalid)));
        };
        let key = Cache::key(token);
        match self
            .0
            .cache
            .find(&key, self.now(), self.0.clock.monotonic())
        {
            Some(principal) => {
                self.note_use(&principal);
                Box::pin(ready(Ok(principal)))
            }
            None if token.starts_with(api_key::PREFIX) => Box::pin(self.check_key(token, key)),
            None => Box::pin(self.check(token, key)),
        }
    }

    fn still_valid<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            match self.stands_now(principal).await {
                Ok(Some(now)) => {
                    now.subject == principal.subject && now.grants.cover(&principal.grants)
                }
                Ok(None) => false,
                Err(error) => {
                    warn!(%error, "cannot check a principal");
                    false
                }
            }
        })
    }
}

impl Service {
    async fn check(&self, token: &str, key: Key) -> Result<Arc<Principal>, Denied> {
        let opened = self.opened().map_err(|_| Denied::Unavailable)?;
        let keys = opened.ring.keys();
        let claims = match opened.verifier.verify(token, self.now()) {
            Ok(claims) => claims,
            Err(Rejected::Expired) => return Err(refused("expired", Denied::Expired)),
            Err(rejected) => return Err(refused(rejected.reason(), Denied::Invalid)),
        };
        let mark = self.0.cache.mark(claims.sub);
        // Checked by a key that was revoked meanwhile: what is kept before a revoke is cleared by it, this would not be.
        if !Arc::ptr_eq(&keys, &opened.ring.keys()) {
            return Box::pin(self.check(token, key)).await;
        }
        let read_at = self.0.clock.monotonic();
        let found = self.read_standing(claims.sid).await.map_err(unavailable)?;
        let Some((standing, account)) = found else {
            return Err(refused("session", Denied::Invalid));
        };
        self.stands(&claims, &standing, &account)?;
        self.0.seen.note(standing.session.id, self.now());
        let principal = Arc::new(self.principal(&standing));
        let fresh_until = read_at + self.0.settings.sessions.check.get();
        let exp = cgcg_core::Timestamp::from_micros(claims.exp.saturating_mul(1_000_000));
        self.0.cache.insert(
            key,
            principal.clone(),
            mark,
            fresh_until,
            exp.min(standing.session.ends_at()),
        );
        Ok(principal)
    }

    async fn read_standing(
        &self,
        session: Id<Session>,
    ) -> Result<Option<(Standing, Account)>, DirectoryError> {
        let mut conn = self.0.db.read().await?;
        self.standing(&mut conn, session).await
    }

    fn stands(
        &self,
        claims: &Claims,
        standing: &Standing,
        account: &Account,
    ) -> Result<(), Denied> {
        let session = &standing.session;
        if session.user_id != claims.sub || !session.is_live(self.now()) {
            return Err(refused("session", Denied::Invalid));
        }
        if account.status != AccountStatus::Active {
            return Err(refused("account", Denied::Invalid));
        }
        if standing.rights.epoch != claims.ver {
            return Err(refused("stale", Denied::Stale));
        }
        Ok(())
    }

    async fn stands_now(&self, principal: &Principal) -> Result<Option<Principal>, Error> {
        let mut conn = self.0.db.read().await?;
        match principal.proof {
            Proof::Session(session) => self.session_now(&mut conn, session).await,
            Proof::ApiKey(key) => self.key_now(&mut conn, key).await,
            _ => Ok(None),
        }
    }

    /// Who a session shows now; `None` once it is over.
    pub(super) async fn session_now(
        &self,
        conn: &mut Conn,
        session: Id<Session>,
    ) -> Result<Option<Principal>, Error> {
        let found = self.standing(conn, session).await?;
        let live = found.filter(|(standing, account)| {
            standing.session.is_live(self.now()) && account.status == AccountStatus::Active
        });
        Ok(live.map(|(standing, _)| self.principal(&standing)))
    }

    /// Session, rights and account, as they are now.
    async fn standing(
        &self,
        conn: &mut Conn,
        session: Id<Session>,
    ) -> Result<Option<(Standing, Account)>, DirectoryError> {
        let Some(standing) = store::sessions::standing(conn, session).await? else {
            return Ok(None);
        };
        let account = self
            .0
            .directory
            .find(conn, standing.session.user_id)
            .await?;
        Ok(account.map(|account| (standing, account)))
    }

    fn principal(&self, standing: &Standing) -> Principal {
        let session = &standing.session;
        Principal {
            subject: Subject::User(session.user_id),
            proof: Proof::Session(session.id),
            grants: effective(standing.rights.grants(), session),
            logged_in_at: Some(session.logged_in_at),
            factors: u8::try_from(session.factors).unwrap_or_default(),
            valid_until: session.expires_at,
            actor: None,
            tenant: None,
        }
    }
}

pub(super) fn unavailable(error: impl std::fmt::Display) -> Denied {
    warn!(%error, "cannot check a credential");
    refused("unavailable", Denied::Unavailable)
}

pub(super) fn refused(reason: &'static str, denied: Denied) -> Denied {
    counter!("cgcg_auth_tokens_rejected_total", "reason" => reason).increment(1);
    denied
}
