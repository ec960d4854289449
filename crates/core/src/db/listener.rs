use std::fmt;

/// Hears what others notify, on a connection to PostgreSQL that nobody else uses.
pub struct Listener {
    #[cfg(feature = "postgres")]
    inner: sqlx::postgres::PgListener,
    #[cfg(not(feature = "postgres"))]
    never: std::convert::Infallible,
}

/// What was notified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Where.
    pub channel: String,
    /// What.
    pub payload: String,
}

#[cfg(feature = "postgres")]
impl Listener {
    pub(super) async fn open(pool: &sqlx::PgPool, channels: &[&str]) -> sqlx::Result<Self> {
        let own = super::postgres::apart(pool);
        let mut inner = sqlx::postgres::PgListener::connect_with(&own).await?;
        inner.eager_reconnect(false);
        inner.listen_all(channels.iter().copied()).await?;
        Ok(Self { inner })
    }
}

impl Listener {
    /// Waits for the next notice. Whoever stops waiting misses none.
    ///
    /// # Errors
    /// The connection is lost, and what comes meanwhile is not heard. Listen anew, then look.
    #[cfg(feature = "postgres")]
    pub async fn next(&mut self) -> sqlx::Result<Notice> {
        match self.inner.try_recv().await? {
            Some(notice) => Ok(Notice {
                channel: notice.channel().to_owned(),
                payload: notice.payload().to_owned(),
            }),
            None => Err(sqlx::Error::Io(
                std::io::ErrorKind::ConnectionAborted.into(),
            )),
        }
    }

    /// There is none without PostgreSQL.
    #[cfg(not(feature = "postgres"))]
    pub async fn next(&mut self) -> sqlx::Result<Notice> {
        match self.never {}
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").finish_non_exhaustive()
    }
}
