//! Takes mail out of the outbox and hands it to the mailer.

use std::time::Duration;

use cgcg_core::{Email, Id, Secret, Timestamp, User};
use metrics::counter;
use tokio::task::JoinSet;
use tracing::{info, warn};
use uuid::Uuid;

use super::Service;
use crate::audit::Entry;
use crate::mail::{Mail, MailError, Template, Values};
use crate::one_time::{OneTimeToken, Purpose};
use crate::store::one_time::OneTimeInDb;
use crate::store::outbox::OutgoingInDb;
use crate::{Error, store};

/// How long a claimed mail is ours. Longer than a try, so that it is sent twice only where a node dies.
const LEASE: Duration = Duration::from_secs(5 * 60);
/// The longest that one try may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// The pause after the first failure. It doubles.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3_600);
/// Tries, all in all.
const TRIES: i64 = 8;

/// A mail with the link in it, as far as there is one.
enum Ready {
    Mail(Box<Mail>),
    /// Its link was used, has ended, or made room for a newer one: there is nothing to say any more.
    Superseded,
    Unknown,
}

impl Service {
    /// Sends up to `limit` mails that are due, at once; answers how many it took. Those that fail come again, after a
    /// pause that doubles from 30 s to an hour, eight times in all. Several nodes may do so at once.
    ///
    /// # Errors
    /// [`Error::Database`]. What was taken then comes again after five minutes.
    pub async fn send_due(&self, limit: u16) -> Result<usize, Error> {
        let now = self.now();
        if !store::outbox::is_due(&mut self.0.db.read().await?, now).await? {
            return Ok(0);
        }
        let mut conn = self.0.db.begin().await?;
        let rows = store::outbox::claim(&mut conn, now, now + LEASE, i64::from(limit)).await?;
        conn.commit().await?;
        let (taken, mut sending) = (rows.len(), JoinSet::new());
        for row in rows {
            let service = self.clone();
            sending.spawn(async move { service.send_row(row).await });
        }
        let mut outcome = Ok(taken);
        while let Some(sent) = sending.join_next().await {
            match sent {
                Ok(Ok(())) => {}
                Ok(Err(error)) => outcome = Err(error),
                Err(error) => warn!(%error, "a mail was not sent; it comes again in five minutes"),
            }
        }
        outcome
    }

    async fn send_row(&self, row: OutgoingInDb) -> Result<(), Error> {
        let mail = match self.ready(&row).await? {
            Ready::Mail(mail) => mail,
            Ready::Superseded => return self.finish(&row, None, "superseded").await,
            Ready::Unknown => return self.finish(&row, None, "unknown").await,
        };
        let sent = tokio::time::timeout(PATIENCE, self.0.mail.mailer.send(&mail)).await;
        let slow = |_| Err(MailError::Retry("no answer in 60 s".to_owned()));
        match sent.unwrap_or_else(slow) {
            Ok(()) => self.finish(&row, mail.user, "sent").await,
            Err(MailError::Permanent(cause)) => {
                warn!(mail.id = %row.id, mail.template = row.template, cause, "a mail cannot be delivered");
                self.give_up(&row, mail.user, "refused").await
            }
            Err(MailError::Retry(cause)) if row.attempts >= TRIES => {
                warn!(mail.id = %row.id, mail.template = row.template, cause, "a mail is given up");
                self.give_up(&row, mail.user, "given_up").await
            }
            Err(MailError::Retry(cause)) => {
                let pause = pause(row.attempts);
                warn!(
                    mail.id = %row.id, mail.template = row.template, mail.attempt = row.attempts,
                    pause_s = pause.as_secs(), cause, "a mail did not go out; it is tried again"
                );
                count(&row, "retry");
                let mut conn = self.0.db.begin().await?;
                let at = self.now() + pause;
                store::outbox::put_back(&mut conn, row.id, row.attempts, at).await?;
                Ok(conn.commit().await?)
            }
        }
    }

    /// Fills the template. The token is made again from its row: nothing of it was stored with the mail.
    async fn ready(&self, row: &OutgoingInDb) -> Result<Ready, Error> {
        let (Some(template), Ok(to)) = (Template::parse(&row.template), row.address.parse()) else {
            warn!(mail.id = %row.id, mail.template = row.template, "a mail of no known form");
            return Ok(Ready::Unknown);
        };
        let (mut link, mut life) = (Secret::default(), String::new());
        let mut user: Option<Uuid> = row
            .data
            .get("user_id")
            .and_then(|id| id.as_str()?.parse().ok());
        if let Some(id) = row.one_time_id {
            let found = store::one_time::find(&mut self.0.db.read().await?, id).await?;
            let good =
                |token: &OneTimeInDb| token.used_at.is_none() && self.now() < token.expires_at;
            let Some(token) = found.filter(good) else {
                return Ok(Ready::Superseded);
            };
            let Some(purpose) = Purpose::parse(&token.purpose) else {
                return Ok(Ready::Unknown);
            };
            let text = OneTimeToken::write(&self.0.keys.one_time, &token.salt, purpose, id);
            link = self.link(purpose, &text);
            life = words(token.expires_at.since(row.created_at));
            user = user.or(token.user_id.map(|user| user.uuid()));
        }
        let mail = self.rendered(row, template, to, user.map(Id::from_uuid), (&link, life));
        Ok(mail.map_or(Ready::Unknown, |mail| Ready::Mail(Box::new(mail))))
    }

    fn rendered(
        &self,
        row: &OutgoingInDb,
        template: Template,
        to: Email,
        user: Option<Id<User>>,
        (link, life): (&Secret<String>, String),
    ) -> Option<Mail> {
        let setup = &self.0.mail;
        let name = row.data.get("name").and_then(|name| name.as_str());
        let values = Values {
            product: setup.product.clone(),
            link: link.expose().clone(),
            life,
            email: to.to_string(),
            name: name.map_or_else(|| to.to_string(), str::to_owned),
            time: minute(row.created_at),
        };
        let rendered = setup.templates.render(template, &values)?;
        Some(Mail {
            id: row.id.uuid(),
            template: template.as_str(),
            to,
            user,
            subject: rendered.subject,
            text: rendered.text,
            html: rendered.html,
            written_at: row.created_at,
        })
    }

    async fn finish(
        &self,
        row: &OutgoingInDb,
        user: Option<Id<User>>,
        outcome: &'static str,
    ) -> Result<(), Error> {
        count(row, outcome);
        info!(
            mail.id = %row.id, mail.template = row.template, user.id = user.map(tracing::field::display),
            outcome, "a mail is dealt with"
        );
        let mut conn = self.0.db.begin().await?;
        store::outbox::remove(&mut conn, row.id, row.attempts).await?;
        Ok(conn.commit().await?)
    }

    async fn give_up(
        &self,
        row: &OutgoingInDb,
        user: Option<Id<User>>,
        outcome: &'static str,
    ) -> Result<(), Error> {
        count(row, outcome);
        let mut conn = self.0.db.begin().await?;
        store::outbox::remove(&mut conn, row.id, row.attempts).await?;
        let entry = Entry::new("email.undeliverable").refused(outcome);
        let mut entry = entry
            .detail("template", row.template.as_str())
            .detail("tries", row.attempts);
        if let Some(user) = user {
            entry = entry.about(user.uuid());
        }
        self.audit_in(&mut conn, entry).await?;
        Ok(conn.commit().await?)
    }
}

fn count(row: &OutgoingInDb, outcome: &'static str) {
    // Only names of ours become labels.
    let template = Template::parse(&row.template).map_or("unknown", Template::as_str);
    counter!("cgcg_auth_mail_total", "template" => template, "outcome" => outcome).increment(1);
}

fn pause(attempts: i64) -> Duration {
    let doublings = u32::try_from(attempts - 1).unwrap_or_default().min(16);
    (FIRST_PAUSE * 2_u32.pow(doublings)).min(LONGEST_PAUSE)
}

/// "2026-01-31 12:00 UTC".
fn minute(time: Timestamp) -> String {
    let text = time.to_string();
    let minute = text.get(..16).unwrap_or(&text);
    format!("{} UTC", minute.replace('T', " "))
}

/// "30 minutes", "24 hours", "7 days".
fn words(time: Duration) -> String {
    let minutes = time.as_secs().div_ceil(60);
    match minutes {
        0..120 => format!("{minutes} minutes"),
        120..2_880 => format!("{} hours", minutes.div_ceil(60)),
        _ => format!("{} days", minutes.div_ceil(1_440)),
    }
}
