use std::net::{IpAddr, Ipv6Addr};
use std::sync::Once;

use actix_web::HttpRequest;
use actix_web::http::header::HeaderMap;
use tracing::warn;

use crate::Front;

/// The address of the client: the peer, or what a trusted proxy says of it. `None` without a socket, as in tests.
pub fn client_ip(request: &HttpRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip().to_canonical();
    Some(match Front::of(request) {
        Some(front) => front.proxies().client(peer, request.headers()),
        None => peer,
    })
}

/// Once in a process is enough.
static WARNED: Once = Once::new();

/// The proxies whose `X-Forwarded-For` is believed.
#[derive(Debug, Clone, Default)]
pub struct Proxies(Vec<(IpAddr, u8)>);

impl Proxies {
    /// From addresses and networks: `10.0.0.0/8`, `::1`.
    ///
    /// # Errors
    /// The first entry that is neither.
    pub fn parse(list: &[String]) -> Result<Self, String> {
        list.iter()
            .map(|text| network(text).ok_or_else(|| text.clone()))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// The right-most entry that is not a proxy of ours: what stands left of it, anybody may have written.
    pub(crate) fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trusts(peer) {
            if is_inside(peer) && headers.contains_key("x-forwarded-for") {
                WARNED.call_once(|| {
                    warn!(%peer, "a proxy names its clients, but http.trusted_proxies lacks it: all of them count as one address");
                });
            }
            return peer;
        }
        let values = headers
            .get_all("x-forwarded-for")
            .filter_map(|value| value.to_str().ok());
        let hops: Vec<&str> = values
            .flat_map(|value| value.split(','))
            .map(str::trim)
            .collect();
        let mut client = peer;
        for hop in hops.iter().rev() {
            let Ok(address) = hop.parse::<IpAddr>() else {
                break;
            };
            client = address.to_canonical();
            if !self.trusts(client) {
                break;
            }
        }
        client
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.0
            .iter()
            .any(|(network, bits)| within(address, *network, *bits))
    }
}

/// Whether the peer is this machine or one of a private network (RFC 1918, RFC 4193), as proxies are.
fn is_inside(peer: IpAddr) -> bool {
    match peer {
        IpAddr::V4(peer) => peer.is_loopback() || peer.is_private(),
        IpAddr::V6(peer) => peer.is_loopback() || peer.is_unique_local(),
    }
}

/// What is counted as one client: an IPv4 address, or the /64 that one IPv6 customer usually has.
pub(crate) fn bucket(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        short => short,
    }
}

fn network(text: &str) -> Option<(IpAddr, u8)> {
    let (address, bits) = match text.split_once('/') {
        Some((address, bits)) => (address, Some(bits.parse().ok()?)),
        None => (text, None),
    };
    let address: IpAddr = address.parse().ok()?;
    let widest = if address.is_ipv4() { 32 } else { 128 };
    let bits = bits.unwrap_or(widest);
    (bits <= widest).then_some((address, bits))
}

fn within(address: IpAddr, network: IpAddr, bits: u8) -> bool {
    match (address, network) {
        (IpAddr::V4(address), IpAddr::V4(network)) => {
            let shift = 32 - u32::from(bits);
            address.to_bits().checked_shr(shift) == network.to_bits().checked_shr(shift)
        }
        (IpAddr::V6(address), IpAddr::V6(network)) => {
            let shift = 128 - u32::from(bits);
            address.to_bits().checked_shr(shift) == network.to_bits().checked_shr(shift)
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderMap, HeaderName, HeaderValue};

    use super::{Proxies, bucket};

    fn client(peer: &str, forwarded: &[&'static str]) -> String {
        let proxies = Proxies::parse(&["10.0.0.0/8".to_owned(), "::1".to_owned()]).unwrap();
        let mut headers = HeaderMap::new();
        for value in forwarded {
            headers.append(
                HeaderName::from_static("x-forwarded-for"),
                HeaderValue::from_static(value),
            );
        }
        proxies.client(peer.parse().unwrap(), &headers).to_string()
    }

    #[test]
    fn only_a_trusted_peer_may_name_the_client() {
        assert_eq!(client("192.0.2.1", &["198.51.100.7"]), "192.0.2.1");
        assert_eq!(client("10.1.2.3", &["198.51.100.7"]), "198.51.100.7");
        assert_eq!(client("10.1.2.3", &[]), "10.1.2.3");
    }

    #[test]
    fn a_proxy_that_is_not_trusted_is_told_of() {
        let inside = |text: &str| super::is_inside(text.parse().unwrap());
        assert!(
            ["127.0.0.1", "::1", "192.168.0.9", "172.17.0.1", "fd00::1"]
                .into_iter()
                .all(inside)
        );
        assert!(
            !["192.0.2.1", "2001:db8::1", "172.32.0.1"]
                .into_iter()
                .any(inside)
        );
        assert_eq!(client("127.0.0.1", &["198.51.100.7"]), "127.0.0.1");
        assert!(super::WARNED.is_completed());
    }

    #[test]
    fn the_right_most_untrusted_entry_counts() {
        assert_eq!(
            client("10.1.2.3", &["6.6.6.6, 198.51.100.7, 10.9.9.9"]),
            "198.51.100.7"
        );
        assert_eq!(
            client("10.1.2.3", &["6.6.6.6", "198.51.100.7"]),
            "198.51.100.7"
        );
        assert_eq!(client("10.1.2.3", &["6.6.6.6, nonsense"]), "10.1.2.3");
        assert_eq!(client("10.1.2.3", &["::ffff:198.51.100.7"]), "198.51.100.7");
    }

    #[test]
    fn addresses_of_one_customer_share_a_bucket() {
        let bucket = |text: &str| bucket(text.parse().unwrap()).to_string();
        assert_eq!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:2:ffff::9"));
        assert_ne!(bucket("2001:db8:1:2::1"), bucket("2001:db8:1:3::1"));
        assert_eq!(bucket("::ffff:192.0.2.1"), "192.0.2.1");
    }

    #[test]
    fn a_network_that_is_none_is_named() {
        for text in ["10.0.0.0/33", "proxy", "10.0.0/8", ""] {
            assert_eq!(Proxies::parse(&[text.to_owned()]).unwrap_err(), text);
        }
        assert!(Proxies::parse(&["0.0.0.0/0".to_owned(), "::/0".to_owned()]).is_ok());
    }
}
