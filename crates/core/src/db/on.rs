//! `on!`, once per set of drivers. A `#[cfg]` inside an exported macro would be read in the crate that calls it.

/// Writes one body for both databases: `on!(conn, |c| sqlx::query(SQL).bind(id).execute(c).await?)`.
///
/// `conn` is a `&mut Conn`. The body holds its own `.await?` and ends in a plain type, because what sqlx answers to
/// `execute` differs from database to database. `c` is `&mut`; a second statement takes `&mut *c`.
#[cfg(all(feature = "sqlite", feature = "postgres"))]
#[macro_export]
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        match *$crate::Conn::lease($conn) {
            $crate::Lease::Sqlite(ref mut held) => {
                let $c = &mut **held;
                $body
            }
            $crate::Lease::Postgres(ref mut held) => {
                let $c = &mut **held;
                $body
            }
        }
    };
}

/// Writes one body for both databases: `on!(conn, |c| sqlx::query(SQL).bind(id).execute(c).await?)`.
#[cfg(all(feature = "sqlite", not(feature = "postgres")))]
#[macro_export]
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        match *$crate::Conn::lease($conn) {
            $crate::Lease::Sqlite(ref mut held) => {
                let $c = &mut **held;
                $body
            }
        }
    };
}

/// Writes one body for both databases: `on!(conn, |c| sqlx::query(SQL).bind(id).execute(c).await?)`.
#[cfg(all(not(feature = "sqlite"), feature = "postgres"))]
#[macro_export]
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        match *$crate::Conn::lease($conn) {
            $crate::Lease::Postgres(ref mut held) => {
                let $c = &mut **held;
                $body
            }
        }
    };
}

/// Without a driver there is no database to write a body for.
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
#[macro_export]
macro_rules! on {
    ($conn:expr, |$c:ident| $body:expr) => {
        compile_error!(
            "no database is compiled in: turn on the feature `sqlite` or `postgres` of cgcg-core"
        )
    };
}

/// As `on!`, for core itself, which also builds without a driver: there is no connection then, and the body is dead.
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
macro_rules! on_here {
    ($conn:expr, |$c:ident| $body:expr) => {
        match *$crate::Conn::lease($conn) {}
    };
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(crate) use crate::on as on_here;
#[cfg(not(any(feature = "sqlite", feature = "postgres")))]
pub(crate) use on_here;
