#![no_main]
//! What reaches the authenticator is one visible token of at most 8 KiB.

use std::sync::{Arc, LazyLock};

use actix_web::FromRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderValue};
use actix_web::test::TestRequest;
use actix_web::web::Data;
use cgcg_core::{Authenticator, BoxFuture, Credential, Denied, Principal};
use cgcg_testkit::TestClock;
use cgcg_web::{Caller, Front, FrontSettings, Proxies};
use futures_util::FutureExt;
use libfuzzer_sys::fuzz_target;

struct Gullible;

impl Authenticator for Gullible {
    fn authenticate<'a>(&'a self, credential: Credential<'a>) -> BoxFuture<'a, Result<Arc<Principal>, Denied>> {
        let Credential::Bearer(token) = credential else {
            panic!("only bearer tokens come in by a header");
        };
        assert!(!token.is_empty() && token.len() <= 8 * 1_024);
        assert!(token.trim() == token && token.bytes().all(|byte| byte == b'\t' || (b' '..=b'~').contains(&byte)));
        Box::pin(async { Ok(Arc::new(Principal::operator())) })
    }

    fn still_valid<'a>(&'a self, _: &'a Principal) -> BoxFuture<'a, bool> {
        Box::pin(async { true })
    }
}

static FRONT: LazyLock<Front> = LazyLock::new(|| {
    let clock = Arc::new(TestClock::default());
    Front::new(Some(Arc::new(Gullible)), clock, Proxies::default(), FrontSettings::default())
});

fuzz_target!(|data: &[u8]| {
    let values: Vec<HeaderValue> = data
        .split(|byte| *byte == b'\n')
        .filter_map(|value| HeaderValue::from_bytes(value).ok())
        .collect();
    let mut request = TestRequest::default().app_data(Data::new(FRONT.clone()));
    for value in &values {
        request = request.append_header((AUTHORIZATION, value.clone()));
    }
    let caller = Caller::extract(&request.to_http_request()).now_or_never().expect("nothing waits");
    assert!(caller.is_err() || values.len() == 1);
});
