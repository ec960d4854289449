use std::net::SocketAddr;

use crate::console::say;
use crate::settings::Settings;

/// The first lines, for programs as well.
pub(crate) fn listening(address: SocketAddr) {
    say(format!("listening on http://{address}"));
}

/// What a person who just started the server wants to know.
pub(crate) fn greet(settings: &Settings, address: SocketAddr, setup: Option<&str>) {
    let base = base(settings, address);
    if cfg!(feature = "docs") {
        say(format!("  API docs      {base}/docs"));
    }
    say(format!("  OpenAPI       {base}/openapi.json"));
    say(format!("  health        {base}/health/ready"));
    if let Some(link) = setup {
        say("  no administrator yet; open this link once, within 30 minutes:");
        say(format!("    {link}"));
    }
    if cfg!(feature = "auth") {
        say("  a first account and its token:");
        say(format!(
            "    curl {base}/api/v1/auth/register -H 'content-type: application/json' \\\n      \
             -d '{{\"email\":\"ada@example.org\",\"password\":\"correct horse battery\"}}'"
        ));
        say(format!(
            "    curl {base}/api/v1/auth/token -d username=ada@example.org -d 'password=correct horse battery'"
        ));
        say(format!(
            "    curl {base}/api/v1/users/me -H 'authorization: Bearer <access_token>'"
        ));
    }
    say("  stop with Ctrl-C");
}

/// How people reach the server.
fn base(settings: &Settings, address: SocketAddr) -> String {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(std::net::Ipv4Addr::LOCALHOST.into());
    }
    settings
        .http
        .public_url
        .clone()
        .unwrap_or_else(|| format!("http://{address}"))
}
