//! A mail as the network carries it: RFC 5322 and MIME.

use std::time::{Duration, UNIX_EPOCH};

use lettre::Address;
use lettre::Message;
use lettre::message::header::{HeaderName, HeaderValue};
use lettre::message::{Mailbox, MultiPart};

use super::{Mail, MailError};

/// Who mail comes from, where nothing leaves this machine and the settings name nobody.
pub(super) const NOBODY: &str = "CGCG <no-reply@localhost>";

/// Whether `text` can stand behind `From:`.
pub(crate) fn is_sender(text: &str) -> bool {
    sender(text).is_some()
}

pub(super) fn sender(text: &str) -> Option<Mailbox> {
    // lettre 0.11.23 panics at a line break in a name.
    if text.chars().any(char::is_control) {
        return None;
    }
    text.parse().ok()
}

/// Both forms of the mail, to its address alone: a name beside it would be a text of somebody else's choice.
///
/// # Errors
/// [`MailError::Permanent`] for an address that no mail can carry.
pub(super) fn message(mail: &Mail, from: &Mailbox) -> Result<Message, MailError> {
    let lost = |why: &dyn std::fmt::Display| MailError::Permanent(format!("no mail: {why}"));
    let address = mail.to.as_str();
    let (local, domain) = address.rsplit_once('@').unwrap_or((address, ""));
    let to = Address::new(local, domain).map_err(|wrong| lost(&wrong))?;
    let micros = u64::try_from(mail.written_at.micros()).unwrap_or_default();
    let id = format!("<{}@{}>", mail.id, from.email.domain());
    let by_machine = HeaderName::new_from_ascii_str("Auto-Submitted");
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(one_line(&mail.subject))
        .date(UNIX_EPOCH + Duration::from_micros(micros))
        .message_id(Some(id))
        // RFC 3834: no out-of-office notes, please.
        .raw_header(HeaderValue::new(by_machine, "auto-generated".to_owned()))
        .multipart(MultiPart::alternative_plain_html(
            mail.text.clone(),
            mail.html.clone(),
        ))
        .map_err(|wrong| lost(&wrong))
}

/// Nothing that could begin another header, whoever wrote it.
fn one_line(text: &str) -> String {
    let blank = |letter: char| {
        if letter.is_control() { ' ' } else { letter }
    };
    text.chars().map(blank).collect()
}

/// As a server would get it.
#[cfg(test)]
pub(crate) fn formatted(mail: &Mail) -> String {
    let from = sender(NOBODY).unwrap();
    String::from_utf8(message(mail, &from).unwrap().formatted()).unwrap()
}
