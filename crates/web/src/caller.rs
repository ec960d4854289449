use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::{FromRequest, HttpMessage, HttpRequest, dev};
use cgcg_core::{Credential, Denied, Principal, ScopeSpec};
use futures_util::future::LocalBoxFuture;

use crate::bearer::bearer;
use crate::{Front, Problem, client_ip};

/// Whoever has a valid credential. 401 without; 503 `auth_unavailable` where nothing can check it. Never open.
#[derive(Debug, Clone)]
pub struct Caller(pub Arc<Principal>);

/// As [`Caller`], or nobody. A bad credential is still 401.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Arc<Principal>>);

/// A caller with the scope `S`: `RequireScope<Read>`, or with both of `RequireScope<(Read, Write)>`. 403 `insufficient_scope` without.
pub struct RequireScope<S>(Arc<Principal>, PhantomData<fn() -> S>);

/// A person whose login is not older than `SECONDS`, and whose session still stands. 401
/// `insufficient_user_authentication` for an older one (RFC 9470), 403 `person_required` for machines.
#[derive(Debug, Clone)]
pub struct RequireFresh<const SECONDS: i64 = 900>(pub Arc<Principal>);

impl FromRequest for Caller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move { Ok(Self(principal(&request).await?)) })
    }
}

impl FromRequest for MaybeCaller {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            match bearer(&request) {
                Err(Denied::Missing) => Ok(Self(None)),
                _ => Ok(Self(Some(principal(&request).await?))),
            }
        })
    }
}

impl<S: ScopeSpec> FromRequest for RequireScope<S> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let principal = principal(&request).await?;
            match S::missing(&principal.grants) {
                None => Ok(Self(principal, PhantomData)),
                Some(scope) => Err(Denied::MissingScope(scope).into()),
            }
        })
    }
}

impl<const SECONDS: i64> FromRequest for RequireFresh<SECONDS> {
    type Error = Problem;
    type Future = LocalBoxFuture<'static, Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut dev::Payload) -> Self::Future {
        let request = request.clone();
        Box::pin(async move {
            let principal = principal(&request).await?;
            let front = Front::of(&request).ok_or(Denied::Unavailable)?;
            let logged_in_at = principal.logged_in_at.ok_or(Denied::NotAPerson)?;
            if front.clock().now().seconds() - logged_in_at.seconds() > SECONDS {
                return Err(Denied::OldLogin { max_age: SECONDS }.into());
            }
            if !front.authenticator().still_valid(&principal).await {
                return Err(Denied::Stale.into());
            }
            Ok(Self(principal))
        })
    }
}

/// Checked once per request: the result stays in its extensions, where the log finds it too.
async fn principal(request: &HttpRequest) -> Result<Arc<Principal>, Problem> {
    if let Some(known) = request.extensions().get::<Arc<Principal>>() {
        return Ok(known.clone());
    }
    let front = Front::of(request).ok_or(Denied::Unavailable)?;
    let checked = match check(front, request).await {
        Err(Denied::Invalid) => return Err(bad_token(front, request)),
        checked => checked?,
    };
    request.extensions_mut().insert(checked.clone());
    Ok(checked)
}

async fn check(front: &Front, request: &HttpRequest) -> Result<Arc<Principal>, Denied> {
    match bearer(request) {
        Ok(token) => {
            let credential = Credential::Bearer(token);
            front.authenticator().authenticate(credential).await
        }
        // Where nothing checks credentials, that is the trouble, and not that none was shown.
        Err(Denied::Missing) if front.closed() => Err(Denied::Unavailable),
        Err(denied) => Err(denied),
    }
}

/// Whoever guesses has to wait. A good token of the same address still passes: one client in a loop must not shut out
/// all others behind its router.
fn bad_token(front: &Front, request: &HttpRequest) -> Problem {
    let limited = front.bad_tokens().zip(client_ip(request));
    match limited.map(|(limiter, address)| limiter.take(address)) {
        Some(Err(wait)) => {
            metrics::counter!("cgcg_auth_throttled_total", "bucket" => "token").increment(1);
            let status = StatusCode::TOO_MANY_REQUESTS;
            let detail = "too many bad tokens from this address";
            Problem::new(status, "throttled", detail).retry_after(wait)
        }
        _ => Denied::Invalid.into(),
    }
}

impl<S> Deref for RequireScope<S> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl Deref for Caller {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}

impl<const SECONDS: i64> Deref for RequireFresh<SECONDS> {
    type Target = Principal;

    fn deref(&self) -> &Principal {
        &self.0
    }
}
