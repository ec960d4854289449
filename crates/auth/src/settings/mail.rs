use std::net::IpAddr;
use std::path::PathBuf;

use cgcg_core::Secret;
use serde::Deserialize;

/// How mail leaves the server.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Mail {
    /// `"log"`: nowhere; a line of the log tells that there was one, never its link. `"file"`: into the data folder, for
    /// development. `"smtp"`: through a mail server.
    pub transport: Transport,
    /// Whom mail comes from: `"no-reply@example.org"`, or with a name: `"Example <no-reply@example.org>"`.
    pub from: Option<String>,
    /// What the server calls itself in mail. `CGCG` where absent.
    pub product: Option<String>,
    /// A folder with templates that replace the built-in ones.
    pub templates: Option<PathBuf>,
    /// The mail server.
    pub smtp: Smtp,
}

/// Where mail goes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Nowhere.
    #[default]
    Log,
    /// Into files.
    File,
    /// To a mail server.
    Smtp,
}

/// A mail server that takes our mail (RFC 6409).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Smtp {
    /// Its name, which its certificate has to carry.
    pub host: String,
    /// 587 with `starttls`, 465 with `implicit`, 25 with `none`, where absent.
    pub port: Option<u16>,
    /// Who we are to it; no login where absent.
    pub username: Option<String>,
    /// The password of that login.
    pub password: Option<Secret<String>>,
    /// `"starttls"`, `"implicit"`, or `"none"`, which only a server on this machine may have.
    pub tls: SmtpTls,
}

/// How the way to the mail server is protected.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpTls {
    /// A plain connection that turns to TLS before anything is said (RFC 3207).
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314).
    Implicit,
    /// Not at all.
    None,
}

impl Mail {
    /// All that is wrong, as (key, what to do).
    pub(super) fn validate(&self) -> Vec<(&'static str, String)> {
        let smtp = &self.smtp;
        let sends = self.transport == Transport::Smtp;
        let from = self.from.as_deref();
        let checks = [
            (
                "mail.transport",
                !sends || cfg!(feature = "smtp"),
                "this build lacks the Cargo feature `mail`",
            ),
            (
                "mail.from",
                from.is_none_or(crate::mail::is_sender),
                "expected an address, or \"Name <address>\"",
            ),
            ("mail.from", !sends || from.is_some(), "smtp needs it"),
            (
                "mail.product",
                self.product.as_deref().is_none_or(is_name),
                "expected 1 to 100 characters on one line",
            ),
            (
                "mail.smtp.host",
                !sends || !smtp.host.is_empty(),
                "smtp needs it",
            ),
            (
                "mail.smtp.tls",
                smtp.tls != SmtpTls::None || is_here(&smtp.host),
                "only a server on this machine may go without TLS",
            ),
            (
                "mail.smtp.password",
                smtp.username.is_some() == smtp.password.is_some(),
                "username and password belong together",
            ),
        ];
        let wrong = checks.into_iter().filter(|(_, fits, _)| !fits);
        wrong.map(|(key, _, mend)| (key, mend.to_owned())).collect()
    }
}

fn is_name(text: &str) -> bool {
    text.parse::<cgcg_core::DisplayName>().is_ok()
}

fn is_here(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}
