use std::time::Duration;

use cgcg_core::BoxFuture;
use lettre::message::Mailbox;
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::{AsyncSmtpTransport, AsyncTransport, Tokio1Executor};

use super::message::message;
use super::{Mail, MailError, Mailer};
use crate::{Smtp, SmtpTls};

/// The longest wait for one answer of the mail server.
const PATIENCE: Duration = Duration::from_secs(20);

type Transport = AsyncSmtpTransport<Tokio1Executor>;

/// To a mail server, over a few connections that are kept.
pub(super) struct SmtpMailer {
    transport: Transport,
    from: Mailbox,
}

impl SmtpMailer {
    /// Reaches nobody yet.
    ///
    /// # Errors
    /// A host whose name no certificate can carry.
    pub(super) fn new(settings: &Smtp, from: Mailbox) -> Result<Self, String> {
        let host = settings.host.as_str();
        let builder = match settings.tls {
            SmtpTls::Starttls => Transport::starttls_relay(host),
            SmtpTls::Implicit => Transport::relay(host),
            // The settings let only a server on this machine pass.
            SmtpTls::None => Ok(Transport::builder_dangerous(host)),
        };
        let mut builder = builder
            .map_err(|wrong| wrong.to_string())?
            .timeout(Some(PATIENCE));
        if let Some(port) = settings.port {
            builder = builder.port(port);
        }
        if let (Some(name), Some(password)) = (&settings.username, &settings.password) {
            builder =
                builder.credentials(Credentials::new(name.clone(), password.expose().clone()));
        }
        Ok(Self {
            transport: builder.build(),
            from,
        })
    }
}

impl Mailer for SmtpMailer {
    fn send<'a>(&'a self, mail: &'a Mail) -> BoxFuture<'a, Result<(), MailError>> {
        Box::pin(async move {
            let message = message(mail, &self.from)?;
            match self.transport.send(message).await {
                Ok(_) => Ok(()),
                Err(error) if is_final(&error) => Err(MailError::Permanent(told(&error))),
                Err(error) => Err(MailError::Retry(told(&error))),
            }
        })
    }

    /// Connects, with TLS and login as for a mail.
    fn reach(&self) -> BoxFuture<'_, Result<(), MailError>> {
        Box::pin(async {
            match self.transport.test_connection().await {
                Ok(true) => Ok(()),
                Ok(false) => Err(MailError::Retry(
                    "the mail server does not answer".to_owned(),
                )),
                Err(error) => Err(MailError::Retry(told(&error))),
            }
        })
    }
}

/// Whether the server will never take this mail: 550 to 559, of RFC 5321, section 4.2.3. Other refusals, a wrong
/// password among them, are troubles that somebody mends.
fn is_final(error: &SmtpError) -> bool {
    error
        .status()
        .is_some_and(|code| (550..560).contains(&u16::from(code)))
}

/// Never what the server said: many repeat the address.
fn told(error: &SmtpError) -> String {
    match error.status() {
        Some(code) => format!("the mail server answered {code}"),
        None => format!("the mail server cannot be used: {error}"),
    }
}
