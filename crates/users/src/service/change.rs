//! How a row changes: asked about, locked, compared, stored, published.

use cgcg_core::{AccountChange, AccountStatus, Conn, Invalid, Principal};

use super::Service;
use crate::schemas::UserInDb;
use crate::{Error, JsonObject, User, UserId, UserUpdate, Usernames, message, store};

impl Service {
    pub(super) fn check_username(&self, given: bool) -> Result<(), Error> {
        if given && self.0.settings.usernames == Usernames::Off {
            let invalid = Invalid::new("usernames_off", "accounts have no user names here");
            return Err(Error::Invalid {
                field: "username",
                invalid,
            });
        }
        Ok(())
    }

    pub(super) fn check_size(
        &self,
        field: &'static str,
        json: Option<&JsonObject>,
    ) -> Result<(), Error> {
        let most = self.0.settings.profile_bytes;
        if json.is_some_and(|json| json.as_str().len() > most.bytes()) {
            let invalid = Invalid::new("too_large", format!("expected at most {most} of JSON"));
            return Err(Error::Invalid { field, invalid });
        }
        Ok(())
    }

    pub(super) async fn write(
        &self,
        by: &Principal,
        id: UserId,
        change: UserUpdate,
        if_match: Option<i64>,
    ) -> Result<User, Error> {
        let mut conn = self.0.db.begin().await?;
        let seen = store::find(&mut conn, id).await?.ok_or(Error::NotFound)?;
        if if_match.is_some_and(|version| version != seen.version) {
            return Err(Error::VersionMismatch);
        }
        let moves = |row: &UserInDb, email: Option<&str>| {
            email.is_some_and(|email| email != row.base.email)
        };
        let email = change.email.as_ref().map(ToString::to_string);
        let asked = moves(&seen, email.as_deref());
        // Before the row is held: an observer may wait for somebody who waits for it.
        if asked {
            self.ask(&mut conn, by, id, AccountChange::EmailChanged)
                .await?;
        }
        let before = store::lock(&mut conn, id).await?.ok_or(Error::NotFound)?;
        if if_match.is_some_and(|version| version != before.version) {
            return Err(Error::VersionMismatch);
        }
        let canonical = change.email.as_ref().map(cgcg_core::Email::canonical);
        let mut after = before.clone();
        apply(&mut after, change);
        if after == before {
            return Ok(before.into());
        }
        if moves(&before, email.as_deref()) {
            // Somebody else has moved the account meanwhile.
            if !asked {
                self.ask(&mut conn, by, id, AccountChange::EmailChanged)
                    .await?;
            }
            after.email_verified_at = None;
        }
        self.next_version(&mut after);
        if let Err(error) = store::save(&mut conn, &after, canonical.as_deref()).await {
            drop(conn);
            return Err(self.explain(error, id, canonical.as_deref()).await?);
        }
        self.finish(conn, by, message::UPDATED, after).await
    }

    pub(super) async fn set_status(
        &self,
        by: &Principal,
        id: UserId,
        status: AccountStatus,
        change: AccountChange,
        topic: &'static str,
    ) -> Result<User, Error> {
        let mut conn = self.0.db.begin().await?;
        let seen = store::find(&mut conn, id).await?.ok_or(Error::NotFound)?;
        // Whoever enables may mean what failed logins have closed: an observer knows.
        if seen.status == status && change != AccountChange::Enabled {
            return Ok(seen.into());
        }
        // Before the row is held: an observer may wait for somebody who waits for it.
        self.ask(&mut conn, by, id, change).await?;
        let mut row = store::lock(&mut conn, id).await?.ok_or(Error::NotFound)?;
        if row.status == status {
            conn.commit().await?;
            return Ok(row.into());
        }
        row.status = status;
        self.next_version(&mut row);
        store::save(&mut conn, &row, None).await?;
        self.finish(conn, by, topic, row).await
    }

    async fn finish(
        &self,
        mut conn: Conn,
        by: &Principal,
        topic: &'static str,
        row: UserInDb,
    ) -> Result<User, Error> {
        message::publish(&*self.0.publisher, &mut conn, topic, row.id).await?;
        conn.commit().await?;
        tracing::info!(user.id = %row.id, by = %by.subject, topic, "account changed");
        Ok(row.into())
    }

    fn next_version(&self, row: &mut UserInDb) {
        row.version += 1;
        row.updated_at = self.0.clock.now();
    }

    /// Which name was taken: SQLite does not say it in a form that could be relied on.
    async fn explain(
        &self,
        error: sqlx::Error,
        id: UserId,
        canonical: Option<&str>,
    ) -> Result<Error, Error> {
        if !error
            .as_database_error()
            .is_some_and(|error| error.is_unique_violation())
        {
            return Err(error.into());
        }
        let Some(canonical) = canonical else {
            return Ok(Error::UsernameTaken);
        };
        let email = store::email_taken(&mut self.0.db.read().await?, canonical, id).await?;
        Ok(if email {
            Error::EmailTaken
        } else {
            Error::UsernameTaken
        })
    }
}

fn apply(row: &mut UserInDb, change: UserUpdate) {
    if let Some(email) = change.email {
        row.base.email = email.to_string();
    }
    if let Some(username) = change.username {
        row.base.username = username.map(|name| name.to_string());
    }
    if let Some(display_name) = change.display_name {
        row.base.display_name = display_name.map(String::from);
    }
    if let Some(locale) = change.locale {
        row.base.locale = locale.map(String::from);
    }
    if let Some(profile) = change.profile {
        row.profile = profile;
    }
    if let Some(app_data) = change.app_data {
        row.app_data = app_data;
    }
}
