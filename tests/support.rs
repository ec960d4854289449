//! The real program, and people who use it.

mod people;

pub(crate) use cgcg_testkit::{Answer, Running as Server, TestApp as Setup};
pub(crate) use people::{People, Person};

/// Good enough for every rule about passwords.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// On SQLite in a folder of its own.
pub(crate) fn sqlite() -> Setup {
    // A test sends more than a person would.
    Setup::new(env!("CARGO_BIN_EXE_cgcg"))
        .with("CGCG_LIMITS__RATE_LIMIT__PER_SECOND", "0")
        .with("CGCG_LIMITS__BAD_TOKENS", "0")
        .with("CGCG_AUTH__THROTTLE__ADDRESSES", "false")
}

/// On an empty PostgreSQL database; `None` where there is no server, which is said.
#[cfg(feature = "postgres")]
pub(crate) fn postgres() -> Option<Setup> {
    let url = cgcg_testkit::postgres_url();
    if url.is_none() {
        cgcg_testkit::skip("no PostgreSQL");
    }
    Some(sqlite().with("CGCG_DATABASE__URL", &url?))
}

/// Makes the tests `<name>::sqlite` and `<name>::postgres` of each `fn <name>(setup: Setup)`.
#[macro_export]
macro_rules! on_both {
    ($($(#[$doc:meta])* fn $name:ident($setup:ident: Setup) $body:block)+) => {$(
        $(#[$doc])*
        mod $name {
            use super::*;

            fn body($setup: Setup) $body

            #[test]
            #[cfg(feature = "sqlite")]
            fn sqlite() {
                body($crate::support::sqlite());
            }

            #[test]
            #[cfg(feature = "postgres")]
            fn postgres() {
                if let Some(setup) = $crate::support::postgres() {
                    body(setup);
                }
            }
        }
    )+};
}
