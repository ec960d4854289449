use cgcg_core::BoxFuture;
use tracing::info;

use super::{Mail, MailError, Mailer};

/// Counts as no transport: tells that there would have been a mail, and to which account. Never its link.
pub(super) struct LogMailer;

impl Mailer for LogMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            info!(
                mail.id = %mail.id,
                mail.template = mail.template,
                user.id = mail.user.map(tracing::field::display),
                "a mail goes nowhere: mail.transport is log"
            );
            Ok(())
        })
    }
}
