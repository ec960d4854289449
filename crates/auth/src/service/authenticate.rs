use std::future::ready;
use std::sync::Arc;

use cgcg_core::{
    Account, AccountStatus, Authenticator, BoxFuture, Credential, Denied, DirectoryError, Id,
    Principal, Proof, Session, Subject,
};
use metrics::counter;
use tracing::warn;

use super::Service;
use super::session::effective;
use crate::cache::{Cache, Key};
use crate::store;
use crate::store::sessions::Standing;
use crate::token::{Claims, Rejected};

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
            Some(principal) => Box::pin(ready(Ok(principal))),
            None => Box::pin(self.check(token, key)),
        }
    }

    fn still_valid<'a>(&'a self, principal: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async move {
            let Proof::Session(session) = principal.proof else {
                return false;
            };
            match self.standing(session).await {
                Ok(Some((standing, account))) => {
                    let now = self.principal(&standing);
                    let lives = standing.session.is_live(self.now())
                        && account.status == AccountStatus::Active;
                    lives && now.subject == principal.subject && now.grants.cover(&principal.grants)
                }
                Ok(None) => false,
                Err(error) => {
                    warn!(%error, "cannot check a session");
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
        let found = self.standing(claims.sid).await.map_err(|error| {
            warn!(%error, "cannot check a token");
            refused("unavailable", Denied::Unavailable)
        })?;
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

    /// Session, rights and account, as they are now.
    async fn standing(
        &self,
        session: Id<Session>,
    ) -> Result<Option<(Standing, Account)>, DirectoryError> {
        let mut conn = self.0.db.read().await?;
        let Some(standing) = store::sessions::standing(&mut conn, session).await? else {
            return Ok(None);
        };
        let account = self
            .0
            .directory
            .find(&mut conn, standing.session.user_id)
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

fn refused(reason: &'static str, denied: Denied) -> Denied {
    counter!("cgcg_auth_tokens_rejected_total", "reason" => reason).increment(1);
    denied
}
