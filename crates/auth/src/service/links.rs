use std::net::{Ipv4Addr, SocketAddr};

use cgcg_core::Secret;

use super::Service;
use crate::one_time::Purpose;

impl Service {
    /// Tells where the host listens, once it does: with port 0 nobody knows before. Links lead there where the host has
    /// no public address. Only the first call counts.
    pub fn listens_on(&self, address: SocketAddr) {
        // Whoever calls twice listens on two addresses; both lead here.
        let _ = self.0.listens_on.set(address);
    }

    /// The link to make the first administrator with, for a token of [`Service::setup_token`]. For the terminal.
    pub fn setup_link(&self, token: &Secret<String>) -> Secret<String> {
        self.link(Purpose::Setup, token)
    }

    /// The page where a token is good for something, with the token behind the `#`: it never gets to a server, a log or
    /// a `Referer`. Made of settings alone, never of what a request says.
    pub(super) fn link(&self, purpose: Purpose, token: &Secret<String>) -> Secret<String> {
        let links = &self.0.settings.links;
        let (own, page) = match purpose {
            Purpose::Setup => (&links.setup, "setup"),
            Purpose::Verify | Purpose::EmailChange => (&links.verify, "verify"),
            Purpose::Reset | Purpose::SetPassword => (&links.reset, "reset"),
        };
        let token = token.expose();
        Secret::new(match own {
            Some(own) => format!("{own}#{token}"),
            None => format!("{}/api/v1/auth/pages/{page}#{token}", self.base()),
        })
    }

    fn base(&self) -> String {
        if let Some(url) = &self.0.host.public_url {
            return url.clone();
        }
        let address = self.0.listens_on.get().copied().or(self.0.host.listen);
        match address {
            Some(mut address) => {
                if address.ip().is_unspecified() {
                    address.set_ip(Ipv4Addr::LOCALHOST.into());
                }
                format!("http://{address}")
            }
            None => String::new(),
        }
    }
}
