#[cfg(any(feature = "sqlite", feature = "postgres"))]
pub(super) use held::Held;

/// What stands inside a [`super::Conn`]. For [`crate::on!`] alone: features ask `engine()`.
#[doc(hidden)]
pub enum Lease {
    #[cfg(feature = "sqlite")]
    Sqlite(Held<sqlx::Sqlite, super::writer::Writing>),
    #[cfg(feature = "postgres")]
    Postgres(Held<sqlx::Postgres, sqlx::Transaction<'static, sqlx::Postgres>>),
}

impl Lease {
    pub(super) async fn commit(self) -> sqlx::Result<()> {
        match self {
            #[cfg(feature = "sqlite")]
            Self::Sqlite(Held::Open(writing)) => writing.commit().await,
            #[cfg(feature = "postgres")]
            Self::Postgres(Held::Open(transaction)) => transaction.commit().await,
            _ => Ok(()),
        }
    }

    /// A transaction on the same connection.
    pub(super) async fn open(self) -> sqlx::Result<Self> {
        match self {
            #[cfg(feature = "postgres")]
            Self::Postgres(Held::Plain(connection)) => {
                let transaction = sqlx::Transaction::begin(connection, None).await?;
                Ok(Self::Postgres(Held::Open(transaction)))
            }
            open => Ok(open),
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

    use sqlx::Database;
    use sqlx::pool::PoolConnection;

    /// A connection that goes back to its pool when dropped, or a transaction `T` that is rolled back.
    #[doc(hidden)]
    pub enum Held<DB: Database, T> {
        /// Each statement is on its own.
        Plain(PoolConnection<DB>),
        /// All statements, or none.
        Open(T),
    }

    impl<DB: Database, T> Held<DB, T> {
        pub(in crate::db) const fn is_open(&self) -> bool {
            matches!(self, Self::Open(_))
        }
    }

    impl<DB: Database, T: Deref<Target = DB::Connection>> Deref for Held<DB, T> {
        type Target = DB::Connection;

        fn deref(&self) -> &Self::Target {
            match self {
                Self::Plain(connection) => connection,
                Self::Open(transaction) => transaction,
            }
        }
    }

    impl<DB: Database, T: DerefMut<Target = DB::Connection>> DerefMut for Held<DB, T> {
        fn deref_mut(&mut self) -> &mut Self::Target {
            match self {
                Self::Plain(connection) => connection,
                Self::Open(transaction) => transaction,
            }
        }
    }
}
