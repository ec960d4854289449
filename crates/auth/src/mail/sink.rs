//! Which way mail goes, as the settings have it.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use super::file::FileMailer;
use super::log::LogMailer;
use super::message::{NOBODY, sender};
use super::{MailSetup, Mailer, Templates};
use crate::{Error, Host, Settings, Transport};

impl MailSetup {
    /// Makes what sends, and reads the templates.
    ///
    /// # Errors
    /// [`Error::Settings`] says which setting does not go with the host.
    pub(crate) fn new(settings: &Settings, host: &Host) -> Result<Self, Error> {
        let mail = &settings.mail;
        let templates = Templates::load(mail.templates.as_deref());
        let templates =
            templates.map_err(|wrong| Error::Settings(format!("mail.templates: {wrong}")))?;
        Ok(Self {
            mailer: mailer(settings, host)?,
            templates,
            product: mail.product.clone().unwrap_or_else(|| "CGCG".to_owned()),
            sends: mail.transport != Transport::Log || host.mailer.is_some(),
        })
    }
}

fn mailer(settings: &Settings, host: &Host) -> Result<Arc<dyn Mailer>, Error> {
    if let Some(mailer) = &host.mailer {
        return Ok(mailer.clone());
    }
    let wrong = |mend: &str| Error::Settings(format!("mail.transport: {mend}"));
    match settings.mail.transport {
        Transport::Log => Ok(Arc::new(LogMailer)),
        Transport::File => {
            if !host.listen.is_none_or(is_here) {
                return Err(wrong(
                    "files are for development: they go with a listener on 127.0.0.1 or ::1 only",
                ));
            }
            // Whoever reaches a proxy on this machine would read the links of everybody.
            let url = host.public_url.as_deref();
            if host.behind_proxy || !url.is_none_or(leads_here) {
                return Err(wrong(
                    "files are for development: they go with no http.trusted_proxies, and no http.public_url but one of localhost",
                ));
            }
            let folder = host.mail_folder.clone();
            let folder = folder.ok_or_else(|| wrong("the host has no folder for files"))?;
            let from = settings.mail.from.as_deref().unwrap_or(NOBODY);
            let from = sender(from).ok_or_else(|| wrong("mail.from is no address"))?;
            Ok(Arc::new(FileMailer::new(folder, from)))
        }
        Transport::Smtp => {
            let links = &settings.links;
            let own = links.verify.is_some() && links.reset.is_some();
            if host.public_url.is_none() && !own {
                return Err(wrong("smtp needs http.public_url, which links are made of"));
            }
            smtp(settings)
        }
    }
}

#[cfg(feature = "smtp")]
fn smtp(settings: &Settings) -> Result<Arc<dyn Mailer>, Error> {
    let wrong = |mend: String| Error::Settings(format!("mail.smtp: {mend}"));
    let from = settings.mail.from.as_deref().and_then(sender);
    let from = from.ok_or_else(|| wrong("mail.from is no address".to_owned()))?;
    let mailer = super::smtp::SmtpMailer::new(&settings.mail.smtp, from).map_err(wrong)?;
    Ok(Arc::new(mailer))
}

/// The settings refuse it before.
#[cfg(not(feature = "smtp"))]
fn smtp(_: &Settings) -> Result<Arc<dyn Mailer>, Error> {
    Err(Error::Settings(
        "mail.transport: this build lacks the Cargo feature `mail`".to_owned(),
    ))
}

fn leads_here(url: &str) -> bool {
    let host = url.split_once("://").map_or(url, |(_, rest)| rest);
    let end = host.find(['/', '?', '#']).unwrap_or(host.len());
    is_name_of_here(&host[..end])
}

/// Whether a `Host` names this machine, whoever asks.
pub(crate) fn is_name_of_here(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or("", |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    let address = name.parse::<IpAddr>();
    name == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn is_here(address: SocketAddr) -> bool {
    address.ip().to_canonical().is_loopback()
}
