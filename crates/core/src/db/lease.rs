#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use held::Held;

/// What stands inside a [`super::Conn`]. For [`crate::on!`] alone: features ask `engine()`.
#[doc(hidden)]
pub enum Lease {
    #[cfg(feature = "sqlite")]
    Sqlite(Held<sqlx::Sqlite>),
    #[cfg(feature = "postgres")]
    Postgres(Held<sqlx::Postgres>),
}

impl Lease {
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(held) => held.commit().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(held) => held.commit().await,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        match *self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(ref held) => held.is_open(),
            #[cfg(feature = "postgres")]
            Self::Postgres(ref held) => held.is_open(),
        }
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
mod held {
    use std::ops::{Deref, DerefMut};

    use sqlx::pool::PoolConnection;
    use sqlx::{Database, Transaction};

    /// A connection that goes back to its pool when dropped.
    #[doc(hidden)]
    pub enum Held<DB: Database> {
        /// Each statement is on its own.
        Plain(PoolConnection<DB>),
        /// All statements, or none.
        Open(Transaction<'static, DB>),
    }

    impl<DB: Database> Held<DB> {
        pub(in crate::db) async fn commit(self) -> sqlx::Result<()> {
            match self {
                Self::Plain(_) => Ok(()),
                Self::Open(transaction) => transaction.commit().await,
            }
        }

        pub(in crate::db) const fn is_open(&self) -> bool {
            matches!(self, Self::Open(_))
        }
    }

    impl<DB: Database> Deref for Held<DB> {
        type Target = DB::Connection;

        fn deref(&self) -> &Self::Target {
            match self {
                Self::Plain(connection) => connection,
                Self::Open(transaction) => transaction,
            }
        }
    }

    impl<DB: Database> DerefMut for Held<DB> {
        fn deref_mut(&mut self) -> &mut Self::Target {
            match self {
                Self::Plain(connection) => connection,
                Self::Open(transaction) => transaction,
            }
        }
    }
}
