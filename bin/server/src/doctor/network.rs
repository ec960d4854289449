use super::Finding;
use crate::settings::Settings;

/// How people reach the server, as far as the settings tell.
pub(super) fn look(settings: &Settings) -> Vec<Finding> {
    vec![address(settings), proxies(settings)]
}

fn address(settings: &Settings) -> Finding {
    let http = &settings.http;
    let alone = http.listen.ip().to_canonical().is_loopback();
    match &http.public_url {
        None if alone => Finding::ok("address", format!("{}, this machine only", http.listen)),
        None => Finding::warn("address", format!("{}, without a public name", http.listen))
            .mend("set http.public_url: links in mail and the issuer of tokens are made of it"),
        Some(url) if url.starts_with("http://") && !is_here(url) => Finding::warn(
            "address",
            format!("{url}: passwords cross the network in the clear"),
        )
        .mend(
            "put a proxy with TLS before the server, and its https:// address into http.public_url",
        ),
        Some(url) => Finding::ok("address", url.clone()),
    }
}

fn proxies(settings: &Settings) -> Finding {
    let http = &settings.http;
    let count = http.trusted_proxies.len();
    let tls = http
        .public_url
        .as_ref()
        .is_some_and(|url| url.starts_with("https://"));
    if count == 0 && tls {
        // The server itself speaks no TLS: somebody before it does.
        return Finding::warn(
            "proxies",
            "none is trusted, so all clients have the address of the proxy",
        )
        .mend("name it in http.trusted_proxies: limits and throttles count addresses");
    }
    match count {
        0 => Finding::ok("proxies", "none"),
        count => Finding::ok("proxies", format!("{count} trusted")),
    }
}

fn is_here(url: &str) -> bool {
    let host = url.strip_prefix("http://").unwrap_or(url);
    ["localhost", "127.", "[::1]"]
        .iter()
        .any(|here| host.starts_with(here))
}
